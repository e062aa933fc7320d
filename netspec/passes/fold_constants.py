"""Computes now what depends on no input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from netspec.backend import load_backend, need
from netspec.dim import Dim
from netspec.ir import Graph, Node, Output, weight_path
from netspec.ops import Weight
from netspec.ops.input import Input
from netspec.ops.param import Param
from netspec.passes import Model, Note
from netspec.passes.rewrite import carry, rewrite
from netspec.passes.uses import needed, uses_by_owner
from netspec.shape import Shape

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array, Weights
else:
    np = need("numpy", "weights")

_STEP = "fold-constants"
SPARE = 2**16
"""How many numbers a tensor may have beyond the weights that it is computed from."""


def fold_constants(model: Model) -> Model:
    """The model with a `param` in place of what constants and learned tensors alone make.

    The reference computes it, in float64. An op stays where the network would become larger by more
    than `SPARE` numbers, and where it is part of a shared instance. Without weights there must be some
    that it is computed from: the numbers of a spec that no weight holds would be lost.
    """
    graph = model.graph
    sources = _sources(graph)
    results = {output.node for output in graph.outputs}
    uses = uses_by_owner(graph)
    folded: dict[str, Node] = {}
    notes: list[Note] = []
    for node in graph.nodes:
        own = sources.get(node.name, ())
        leaves = node.name in results or any(r not in sources for r in graph.readers[node.name])
        if node.op.batchless or not own or not leaves:
            continue
        held = sum(prod(weight.shape) for weight in _weights(graph, own).values())
        reason: str | None
        if len(uses[graph.owner(node).name]) > 1:
            reason = "another use of its instance has one of its own"
        elif model.weights is None and not held:
            reason = "it is made of the spec's numbers alone, and there are no weights to hold it"
        else:
            reason = _reason(node.shape, held)
        if reason:
            notes.append(Note(_STEP, node.name, False, f"stays: {reason}"))
            continue
        param = Param(sizes=node.shape.sizes, axes=node.shape.axes)
        first = next(graph.by_name[name] for name in own if graph.by_name[name].op.batchless)
        folded[node.name] = node.model_copy(update={"op": param, "inputs": first.inputs})
        notes.append(Note(_STEP, node.name, True, f"computed: {node.shape}"))
    if not folded:
        return model._replace(notes=(*model.notes, *notes))
    weights = model.weights
    if weights is not None:
        weights = {**weights, **_values(graph, folded, sources, weights)}
    changed = rewrite(graph, folded, {})
    keep = needed(changed)
    used = {name for name in folded for name in sources[name]} - folded.keys() - keep
    notes += (Note(_STEP, name, True, "gone: computed") for name in sources if name in used)
    return carry(
        model._replace(weights=weights), rewrite(changed, {}, dict.fromkeys(used, "")), notes
    )


def _sources(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Each node that depends on no input, with all that it is computed from and itself, in order."""
    found: dict[str, dict[str, None]] = {}
    for node in graph.nodes:
        if node.op.batchless:
            found[node.name] = {node.name: None}
        elif node.inputs and not node.op.is_random and found.keys() >= set(node.inputs):
            before = {name: None for source in node.inputs for name in found[source]}
            found[node.name] = {**before, node.name: None}
    return {name: tuple(sources) for name, sources in found.items()}


def _reason(shape: Shape, held: int) -> str | None:
    """Why a tensor that is computed from so many weights cannot be one itself."""
    if shape.dtype != "float" or shape.unknowns:
        return "it is no tensor of floats of a known size"
    if shape.elements > held + SPARE:
        return f"{shape} is more than it is computed from"
    return None


def _weights(graph: Graph, names: Sequence[str]) -> dict[str, Weight]:
    """The weights of these nodes."""
    return {name: w for each in names for name, w in graph.weights_of(graph.by_name[each])}


def _values(
    graph: Graph,
    folded: Mapping[str, Node],
    sources: Mapping[str, Sequence[str]],
    weights: Weights,
) -> dict[str, Array]:
    """What the nodes give, by the names of the weights that hold it.

    What a learned tensor or a constant reads tells the number of examples and perhaps sizes: zeros of
    the same shape stand for it.
    """
    nodes = {"": Node(name="", op=Input(sizes=(1,)), shape=Shape.of(1))}
    given: dict[str, Array] = {}
    wanted = {source for name in folded for source in sources[name]}
    for node in graph.nodes:
        if node.name not in wanted:
            continue
        for name in node.inputs:
            if name not in nodes:
                x = graph.by_name[name].shape
                sizes = tuple(1 if isinstance(size, Dim) else size for size in x.sizes)
                op, shape = Param(sizes=sizes, axes=x.axes), Shape.made(x.axes, sizes)
                nodes[name] = Node(name=name, op=op, inputs=("",), shape=shape)
                given[name] = np.zeros((1, *sizes))
        nodes[node.name] = node.model_copy(update={"shares": None})
        for name, weight in graph.weights_of(node):
            given[weight_path(node.name, weight.name)] = weights[name]
    outputs = tuple(Output(name=name, node=name) for name in folded)
    alone = Graph(name=graph.name, nodes=tuple(nodes.values()), outputs=outputs)
    session = load_backend("reference").open_session(alone, given, "float64")
    return session.predict({"": np.zeros((1, 1))})
