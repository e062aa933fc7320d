"""Writes a run as a script of a framework, with the network and the examples beside it. Knows no framework."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netspec.arrays import dump_arrays
from netspec.backend import Scripted, load_backend
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import write_atomically
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
    """Write the script `path`, the network as a file of its own name, and the examples; their paths.

    Started from the weights that `netspec train` draws, it gives the same losses where nothing is dropped.
    Raises `SpecError`.
    """
    backend = load_backend(target)
    if not isinstance(backend, Scripted):
        raise SpecError(
            Diagnostic("unsupported", f"scripts that train are not written for `{target}`")
        )
    task = plan(graph, data, recipe)
    if len(graph.inputs) > 1 and any(node.name == "y" for node in graph.inputs):
        message = (
            "the examples are kept in a file where `y` are the targets, and here it is an input"
        )
        raise SpecError(Diagnostic("unsupported", message, help="give the input another name"))
    backend.ROWS.check(task.graph)
    script, module = Path(path), _module_name(graph, Path(path).stem)
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


def _module_name(graph: Graph, stem: str) -> str:
    """What the network's file is called: as the network, or otherwise where the script is called so."""
    return graph.name if graph.name != stem else f"{graph.name}_network"
