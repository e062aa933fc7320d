"""Files of models that were not emitted here: they flatten maps with the channels last, and the spec has them first."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Literal, TypeAlias

from netspec.backends.keras.layer import layer_name
from netspec.backends.keras.rows import ROWS
from netspec.checkpoints.tensors import Checkpoint
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph, Node
from netspec.ops.dense import Dense
from netspec.ops.reshape import Flatten
from netspec.weights import Array

Order: TypeAlias = Literal["channels-last", "channels-first"]
"""In which order a model flattens maps."""


def in_spec_order(
    weights: dict[str, Array], file: Checkpoint, graph: Graph, order: Order | None
) -> dict[str, Array]:
    """The weights with the columns of dense layers behind a flattened map in the spec's order.

    A model emitted here has a layer that brings the channels first, which its file names. Elsewhere `order` says how
    the model flattens; raises `SpecError` where it must be known and is not.
    """
    unlike = [node for node in _flattened(graph) if not _of_ours(node, graph, file.layers)]
    if not unlike or order == "channels-first":
        return weights
    if order is None:
        names = ", ".join(f"`{node.name}`" for node in unlike)
        message = f"{file.path} does not tell in which order its model flattens the map that {names} flattens"
        cure = (
            "--flatten channels-last is Keras's own; channels-first where a layer permutes before"
        )
        raise SpecError(Diagnostic("unknown-order", message, help=cure))
    moved = dict(weights)
    for node in unlike:
        (shape,) = graph.input_shapes(node)
        for name in dict.fromkeys(_read_by(node, graph)):
            held = weights[name].reshape(-1, *shape.spatial, shape.axis("c"))
            last = held.ndim - 1
            moved[name] = held.transpose(0, last, *range(1, last)).reshape(weights[name].shape)
    return moved


def _flattened(graph: Graph) -> Iterator[Node]:
    """The nodes that flatten maps whose order of axes Keras holds otherwise."""
    for node in graph.nodes:
        if isinstance(node.op, Flatten) and _permutes(node, graph):
            yield node


def _permutes(node: Node, graph: Graph) -> list[str]:
    """What Keras calls the layers of the node that stand before its last."""
    steps = ROWS[node.op](node.op, *graph.input_shapes(node)).steps
    return [layer_name(f"{node.name}.{step.suffix}") for step in steps if step.suffix]


def _of_ours(node: Node, graph: Graph, layers: Container[str]) -> bool:
    return all(name in layers for name in _permutes(node, graph))


def _read_by(node: Node, graph: Graph) -> Iterator[str]:
    """The weights of the dense layers that read a flattened map, behind what works on each number alone."""
    for name in graph.readers[node.name]:
        reader = graph.by_name[name]
        if isinstance(reader.op, Dense):
            yield next(name for name, _ in graph.weights_of(reader))
        elif (
            not graph.weights_of(reader) and len(reader.inputs) == 1 and reader.shape == node.shape
        ):
            yield from _read_by(reader, graph)
        else:
            message = f"`{name}` reads the flattened map of `{node.name}`, and only dense layers can be put in order"
            raise SpecError(Diagnostic("unsupported", message))
