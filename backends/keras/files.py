"""Keras's own files, written through Keras; and a file's variables as a network's weights, through a model of it."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from netspec.backends.keras.archive import Dataset, listed
from netspec.backends.keras.foreign import Order, in_spec_order
from netspec.backends.keras.live import build_model
from netspec.backends.keras.module import emit_module
from netspec.backends.keras.weights import all_layers, slots
from netspec.checkpoints.matching import Matched, match
from netspec.checkpoints.tensors import Checkpoint, Place, widened
from netspec.diagnostics import Diagnostic, SpecError
from netspec.emit.header import is_emitted
from netspec.files import replacing, write_atomically
from netspec.ir import Graph
from netspec.weights import Weights, init_weights, np

WHOLE, ALONE = ".keras", ".weights.h5"


def write(graph: Graph, weights: Weights, path: str, suffix: str) -> list[str]:
    """A model that Keras loads, or its weights alone.

    A model with classes of its own needs them when it is loaded: the source that has them is written beside it.
    Raises `SpecError` where a file is there that netspec did not write.
    """
    source, _ = emit_module(graph)
    beside = None
    if suffix == WHOLE and "register_keras_serializable" in source:
        beside = str(Path(path).with_suffix(".py"))
        _check_own(beside)
    model = build_model(graph, weights)
    with replacing(path, suffix) as written:
        (model.save if suffix == WHOLE else model.save_weights)(written)
    if beside is None:
        return [path]
    write_atomically(beside, source.encode())
    return [path, beside]


def _check_own(path: str) -> None:
    """Nobody asked for this file by its name."""
    try:
        with open(path, "rb") as file:
            own = is_emitted(file.read(1024))
    except OSError:
        return  # it is not there, or writing it says what is wrong
    if not own:
        message = (
            f"{path} is not netspec's, and would be replaced by the source of the model's classes"
        )
        help_ = "choose another name for the model, or move that file"
        raise SpecError(Diagnostic("foreign-file", message, help=help_))


def match_to(
    file: Checkpoint, graph: Graph, *, flatten: Order | None = None, **how: Any
) -> Matched:
    """The graph's weights: the file's arrays become those of the emitted model, which gives them back.

    `flatten` is the order in which the file's model flattens maps, where it was not emitted here.
    """
    model = build_model(graph, init_weights(graph))
    held: dict[int, list[str]] = {}
    variables = [v for v in model.variables if np.dtype(v.dtype).kind == "f"]
    for slot in slots(model, graph):
        for variable in dict.fromkeys(map(id, slot.variables)):
            held.setdefault(variable, []).append(slot.name)
    named = _named(model, variables)
    rank = {name: number for number, (name, _) in enumerate(graph.weights())}
    known = [(each, v) for each, v in named if id(v) in held]
    known.sort(key=lambda pair: min(rank[name] for name in held[id(pair[1])]))
    groups = {tensor.group for tensor in file.tensors}
    stems = {layer.name: _stem(layer, groups) for layer in all_layers(model)}
    places = {
        Place(each.name, tuple(v.shape), tuple(held[id(v)]), stems[each.layer]): v
        for each, v in known
    }
    own = {each.name for each, v in named if id(v) not in held}
    tensors = [tensor for tensor in file.tensors if tensor.name not in own]
    matches = match(tensors, list(places), file.path, ordered=file.ordered, **how)
    for each in matches:
        places[each.place].assign(widened(each.tensor.array))
    weights = {slot.name: slot.to_canonical() for slot in slots(model, graph)}
    return Matched(in_spec_order(weights, file, graph, flatten), matches)


def _named(model: Any, variables: Sequence[Any]) -> list[tuple[Dataset, Any]]:
    """Where Keras keeps each variable: found by writing a file in which each holds its own number."""
    for number, variable in enumerate(variables):
        variable.assign(np.full(variable.shape, number, np.float32))
    with TemporaryDirectory(prefix="netspec-") as folder:
        path = str(Path(folder, f"model{ALONE}"))
        model.save_weights(path)
        found, _ = listed(path, path)
    return [(each, variables[int(each.array.flat[0])]) for each in found if each.array.size]


def _stem(layer: Any, known: Container[str]) -> str:
    """What a file that knows these classes calls the layer's own, or else the one of Keras that it is built on."""
    bases = type(layer).__mro__
    stems = [_snake_case(base.__name__) for base in bases]
    keras_own = next(i for i, base in enumerate(bases) if base.__module__.split(".")[0] == "keras")
    return next((stem for stem in stems[: keras_own + 1] if stem in known), stems[keras_own])


def _snake_case(name: str) -> str:
    """As Keras turns the name of a class into that of a group of a file."""
    words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
