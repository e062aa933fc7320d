"""Which tensors a model holds flat, so that the fewest are converted. Knows no op by name."""

from __future__ import annotations

from netspec.backends.onnx.flat import Numbering
from netspec.backends.onnx.rows import (
    FLAT,
    ROWS,
    WITH_ATTENTION,
    Apply,
    Constant,
    Flat,
    Operand,
    Stored,
)
from netspec.ir import Graph, Node
from netspec.passes.layout_cut import Cut
from netspec.shape import Shape

_FLAT, _WHOLE = "/flat", "/whole"
"""The two layouts; no node is called so."""


class Layout:
    """The layout of every tensor of a graph, and what converts them.

    1. A tensor of several axes whose last one is `c` may be flat. Rows that take it so give it so.
    2. A positionwise op whose tensors agree but for their features does in one layout what it does in the other:
       on flat ones it is an op on vectors.
    3. All other ops, and the network's inputs and results, have tensors whole.
    4. A tensor is converted at most once, and no choice for the ops of 2 needs fewer conversions. Of equal
       choices, ops keep the layout of their first input.
    5. Flat sequences have their steps first where attention is written out: products of heads then read queries,
       keys and values where they stand, without transposing them.
    """

    def __init__(self, graph: Graph, opset: int) -> None:
        self._graph = graph
        self._native: dict[str, str] = {}
        """The layout in which each node gives its value."""
        self._choose()
        self.numbering = Numbering(steps_first=opset < WITH_ATTENTION and self._attends())
        self._converted: dict[Operand, Operand] = {}

    def is_flat(self, name: str) -> bool:
        """Whether a node's value is flat."""
        return self._native[name] == _FLAT

    def shapes(self, node: Node) -> tuple[Shape, ...]:
        """The shapes that a node's row sees: of what it maps position by position, vectors."""
        shapes = self._graph.input_shapes(node)
        if self.is_flat(node.name) and node.op.is_positionwise:
            return tuple(Shape.made("c", shape.sizes[-1:], shape.dtype) for shape in shapes)
        return shapes

    def read(self, node: Node, place: int, value: Operand) -> Operand:
        """A node's input in the layout that its row wants."""
        name = node.inputs[place]
        wants_flat = self.is_flat(node.name) and place < self._count(node)
        if wants_flat == self.is_flat(name):
            return value
        if value not in self._converted:
            shape, numbers = self._graph.by_name[name].shape, self.numbering
            convert = numbers.flat if wants_flat else numbers.whole
            self._converted[value] = convert(value, shape)
        return self._converted[value]

    def result(self, name: str, value: str) -> str | Apply:
        """A node's value as a result of the network."""
        shape = self._graph.by_name[name].shape
        return self.numbering.whole(value, shape) if self.is_flat(name) else value

    def made(self, node: Node, value: Operand) -> None:
        """Take note of a node's value: sizes known only at run time may be read off it."""
        is_bare = isinstance(value, Stored | Constant) or node.op.batchless
        if not self.is_flat(node.name) and not is_bare:
            self.numbering.count(value, node.shape)

    def _choose(self) -> None:
        cut = Cut(_FLAT, _WHOLE)
        for node in self._graph.nodes:
            own = self._native[node.name] = self._own(node)
            count = self._count(node)
            for place, name in enumerate(node.inputs):
                if _has_positions(self._graph.by_name[name].shape):
                    wanted = own if place < count else _WHOLE
                    cut.read(name, self._native[name], wanted, place == 0 and own == node.name)
        for output in self._graph.outputs:
            cut.read(output.node, self._native[output.node], _WHOLE)
        chosen = cut.layouts()
        for name, own in self._native.items():
            self._native[name] = chosen.get(own, own)

    def _own(self, node: Node) -> str:
        """The layout of what a node gives, or its name where it may be either."""
        shapes = self._graph.input_shapes(node)
        if not shapes or not _has_positions(node.shape):
            return _WHOLE
        if self._taken(node) is not None:
            return _FLAT
        agree = all(
            (shape.axes, shape.sizes[:-1]) == (node.shape.axes, node.shape.sizes[:-1])
            for shape in shapes
        )
        is_spread = any(self._graph.is_spread(self._graph.by_name[name]) for name in node.inputs)
        free = node.op.is_positionwise and agree and not is_spread
        return node.name if free else _WHOLE

    def _count(self, node: Node) -> int:
        """How many of a node's inputs, from the first one, have the layout of what it gives."""
        taken = self._taken(node)
        return len(node.inputs) - (0 if taken is None else taken.but(node.op))

    def _taken(self, node: Node) -> Flat | None:
        ROWS[node.op]  # makes its module say it
        return FLAT.get(type(node.op))

    def _attends(self) -> bool:
        """Whether steps of a sequence of known length attend to others."""
        return any(
            taken.attends and node.shape.axes == "tc" and not node.shape.unknowns
            for node in self._graph.nodes
            if (taken := self._taken(node)) is not None
        )


def _has_positions(shape: Shape) -> bool:
    return shape.axes.endswith("c") and len(shape.axes) > 1 and shape.dtype == "float"
