"""Parts of one tensor along one axis in one step: `a, b = x.chunk(2, dim=1)` instead of an index for each."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.backends.torch.layer import Layer, X
from netspec.emit.outline import Item, Leaf, Part
from netspec.emit.source import Expr, Items, call
from netspec.ir import Graph, Node
from netspec.ops.slicing import Slice, Take


def part_at_once(part: Part, graph: Graph) -> None:
    """Join the leaves, here and in inner parts, that stand together and part a tensor among them."""
    items: list[Item] = []
    while len(items) < len(part.items):
        run = _run(part.items[len(items) :], graph)
        items.append(run)
        part.items[len(items) - 1 : len(items) - 1 + _length(run)] = [run]
    for item in part.items:
        if isinstance(item, Part):
            part_at_once(item, graph)


def _length(item: Item) -> int:
    return 1 + len(item.also) if isinstance(item, Leaf) else 1


def _run(items: Sequence[Item], graph: Graph) -> Item:
    """The first item, together with those after it if they part a tensor."""
    first = items[0]
    if not isinstance(first, Leaf) or not isinstance(first.node.op, Slice | Take):
        return first
    end, nodes = 0, list[Node]()
    size = graph.input_shapes(first.node)[0].axis(first.node.op.axis)
    for item in items:
        if not isinstance(item, Leaf) or item.owner is not None or end == size:
            break
        op = item.node.op
        if not isinstance(op, type(first.node.op)) or list(item.inputs) != list(first.inputs):
            break
        assert isinstance(op, Slice | Take)
        start, stop = (op.index, op.index + 1) if isinstance(op, Take) else (op.start, op.stop)
        if op.axis != first.node.op.axis or start != end or getattr(op, "step", 1) != 1:
            break
        if stop is None:  # of an axis of unknown size
            break
        end = stop
        nodes.append(item.node)
    return first._replace(also=tuple(nodes[1:])) if end == size and len(nodes) > 1 else first


def parted(graph: Graph, leaf: Leaf) -> Layer:
    """The call that gives all parts. Axes count from the batch."""
    op = leaf.node.op
    assert isinstance(op, Slice | Take)
    (x,) = graph.input_shapes(leaf.node)
    dim = 1 + x.axes.index(op.axis)
    if isinstance(op, Take):
        return Layer(forward=call("unbind", dim, on=X))
    sizes = [graph.by_name[name].shape.axis(op.axis) for name in leaf.outputs]
    if len({*sizes}) == 1:
        return Layer(forward=call("chunk", len(sizes), on=X, dim=dim))
    given: Expr = Items(tuple(sizes))
    return Layer(forward=call("split", given, on=X, dim=dim))
