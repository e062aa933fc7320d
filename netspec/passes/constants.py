"""Tensors that passes put into a graph. Knows no pass."""

from __future__ import annotations

from netspec.ir import Graph, Node
from netspec.ops.param import Param
from netspec.shape import AXES_BY_RANK, Shape


def constant(graph: Graph, name: str, shape: Shape, source: str) -> Node:
    """A `param` of this shape, with the name or one like it; what it reads gives the number of examples."""
    usual = AXES_BY_RANK.get(len(shape.sizes)) == shape.axes
    op = Param(sizes=shape.sizes, axes=None if usual else shape.axes)
    return Node(name=free_name(graph, name), op=op, inputs=(source,), shape=shape)


def free_name(graph: Graph, name: str) -> str:
    """The name, or, where something in the graph has it, one like it."""
    taken = {*graph.by_name, *(scope.path for scope in graph.scopes)}
    while name in taken:
        name += "_"
    return name
