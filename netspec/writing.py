"""From a graph to files: which target a file's name asks for, and what stands beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from errno import EISDIR
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.backend import HOLDING, Filing, load_backend
from netspec.compiler import compile as compile_graph
from netspec.compiler import prepare
from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import unwritable, write_atomically
from netspec.ir import Graph

if TYPE_CHECKING:
    from netspec.passes import Note
    from netspec.weights import Weights

CANONICAL = ".safetensors"

_TARGETS = {**HOLDING, ".json": "ir"}
"""The endings that say what is written; `.py` may be of either of two targets."""


def suffix_of(path: str | Path) -> str | None:
    """The ending of a name that says what is written, or None."""
    return next((each for each in _TARGETS if str(path).endswith(each)), None)


def target_of(path: str | Path | None, target: str | None) -> str:
    """The target that is named or that the file's name asks for. Raises `SpecError` where there is none, or two."""
    if path is not None and str(path).endswith(CANONICAL):
        message = f"`{Path(path).name}` is the name of a file of weights alone"
        help_ = "`netspec weights init` and `netspec weights convert` write those"
        raise SpecError(Diagnostic("other-target", message, help=help_))
    asked = None if path is None else _TARGETS.get(suffix_of(path) or "")
    if target is None and asked is None:
        known = ", ".join(f"`{each}`" for each in _TARGETS)
        message = "nothing says what to write: there is no --target"
        if path is not None:
            message += f", and `{Path(path).name}` does not tell"
        raise SpecError(
            Diagnostic("no-target-named", message, help=f"names that tell end in {known}")
        )
    if target is not None and asked is not None and target != asked:
        message = f"`{Path(path or '').name}` is the name of a file of {asked}, and the target is {target}"
        raise SpecError(Diagnostic("other-target", message, help="leave --target out"))
    found = target or asked
    assert found is not None
    return found


def write(
    graph: Graph,
    path: str | Path,
    *,
    target: str | None = None,
    weights: Weights | None = None,
    seed: int | None = None,
    passes: Sequence[str] = (),
    observe: Callable[[Sequence[Note]], None] | None = None,
    **options: Any,
) -> list[str]:
    """Write what the file's name asks for, `compile`'s file where it says nothing else; the files written.

    Weights are those given, or drawn from `seed`; `passes` rewrite graph and weights, and what they did is told to
    `observe`. Files that hold some take seed 0 where neither is given; a source or a graph gets those that fit it
    beside it, as safetensors. Each file is replaced in one step. `options` are the backend's own. Raises `SpecError`.
    """
    path, target = str(path), target_of(path, target)
    backend = None if target == "ir" else load_backend(target, "ir")
    suffix = suffix_of(path) or ("" if backend is None else backend.SUFFIX)
    if suffix in HOLDING and isinstance(backend, Filing):
        graph, chosen, notes = prepare(graph, weights, seed or 0, passes)
        assert chosen is not None
        backend.ROWS.check(graph)
        if observe is not None:
            observe(notes)
        return list(backend.write_file(graph, chosen, path, suffix, **options))
    made = compile_graph(graph, target=target, weights=weights, seed=seed, passes=passes, **options)
    if observe is not None:
        observe(made.notes)
    if made.weights is None:
        write_atomically(path, made.content)
        return [path]
    from netspec.weights import dump_weights

    beside = _beside(path)
    write_atomically(beside, dump_weights(made.weights, made.graph))
    write_atomically(path, made.content)
    return [path, beside]


def _beside(path: str) -> str:
    """What the weights beside a file are called. Raises `SpecError` where it is no file."""
    if os.path.isdir(path) or not Path(path).name:
        raise unwritable(path, IsADirectoryError(EISDIR, "it is a folder"))
    return str(Path(path).with_suffix(CANONICAL))
