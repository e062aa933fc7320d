"""Writes a run as a script of a framework, with the network and the examples beside it. Knows no framework."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netspec.arrays import dump_arrays
from netspec.backend import Scripted, load_backend
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import write_atomically
from netspec.training.data import labels_file
from netspec.training.examples import examples_of
from netspec.training.task import plan

if TYPE_CHECKING:
    from netspec.ir import Graph
    from netspec.training.data import Data
    from netspec.training.examples import Examples
    from netspec.training.recipe import Recipe
    from netspec.weights import Array


def write_script(
    path: str | Path, graph: Graph, data: Data, recipe: Recipe, target: str = "torch"
) -> list[str]:
    """Write the script `path`, and beside it the network, the examples, and names of classes; their paths.

    Started from the weights that `netspec train` draws, it gives the same losses where nothing is dropped.
    Raises `SpecError`.
    """
    backend = load_backend(target)
    if not isinstance(backend, Scripted):
        raise SpecError(
            Diagnostic("unsupported", f"scripts that train are not written for `{target}`")
        )
    script = Path(path)
    module, task = _module_of(script), plan(graph, data, recipe)
    if len(graph.inputs) > 1 and any(node.name == "y" for node in graph.inputs):
        message = (
            "the examples are kept in a file where `y` are the targets, and here it is an input"
        )
        raise SpecError(Diagnostic("unsupported", message, help="give the input another name"))
    backend.ROWS.check(task.graph)
    parts = {"train": task.train, "val": task.val}
    if data.test is not None:
        parts["test"] = examples_of(task.graph, data.test, task.objective, "test")
    arrays = {
        f"{key}_{name}": array
        for name, part in parts.items()
        if part is not None
        for key, array in _named(backend.examples_held(task, part)).items()
    }
    text, network = backend.emit_script(task, module, script.stem, data.test is not None)
    files = {
        script: text.encode(),
        script.with_name(f"{module}.py"): network.encode(),
        script.with_suffix(".npz"): dump_arrays(arrays, "x.npz"),
    }
    if data.classes:
        files[script.with_suffix(".labels.txt")] = labels_file(data.classes)
    for file, content in files.items():
        write_atomically(file, content)
    return [str(file) for file in files]


def _named(examples: Examples) -> dict[str, Array]:
    """The arrays by name: `y` are the targets, and `x` a single input."""
    inputs = examples.inputs
    return {
        **(inputs if len(inputs) > 1 else {"x": next(iter(inputs.values()))}),
        "y": examples.targets,
    }


def _module_of(path: Path) -> str:
    """What the network's file is called: as the script, so that scripts in one folder share none."""
    if path.suffix != ".py" or not re.fullmatch(r"[A-Za-z_][\w-]*", path.stem, re.A):
        message = f"`{path.name}` is no name of a script"
        help_ = "write it with letters, digits, `_` and `-`, as in train_n2.py"
        raise SpecError(Diagnostic("bad-script-name", message, help=help_))
    if path.stem in ("torch", "keras", "numpy") or path.stem in sys.stdlib_module_names:
        message = f"Python would take {path.name} for the package `{path.stem}`"
        raise SpecError(Diagnostic("bad-script-name", message, help="give it another name"))
    return f"{path.stem.replace('-', '_')}_network"
