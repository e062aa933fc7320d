"""The table of rows, and the ONNX nodes as plain data that they give. Knows nothing of protobuf, and no op."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.backend import Rows
from netspec.ops.base import Op
from netspec.shape import Shape

if TYPE_CHECKING:
    from netspec.backends.onnx.flat import Numbering

IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12}
"""The opsets that can be written, each with the least IR version that may carry it."""

DEFAULT_OPSET = 20
WITH_ATTENTION = 23
"""The first opset that has `Attention`, which takes `(n, t, c)`; before it attention is written out."""


class Constant(NamedTuple):
    """A small tensor of the lowering's own; int64, or the model's float type where it is float."""

    values: tuple[float, ...] | tuple[int, ...]
    shape: tuple[int, ...]


class Stored(str):
    """The name of a weight, which may be a value's name too."""


class Apply(NamedTuple):
    """One ONNX node. Its operands are values and weights by name, constants, or further nodes.

    `result` tells which of its outputs is meant.
    """

    op_type: str
    operands: tuple[Operand, ...]
    attributes: Mapping[str, Attribute]
    result: int = 0


Attribute = int | float | str | tuple[int, ...] | tuple[str, ...]


Operand = str | Constant | Apply


class Site(NamedTuple):
    """Where a row is applied: the values read, their shapes, its weights, the opset, whether numbers are float64.

    Where it is `bare`, a value without its batch axis will do. The `numbering` takes apart what the row takes flat.
    """

    inputs: tuple[Operand, ...]
    shapes: tuple[Shape, ...]
    weights: tuple[Stored, ...]
    opset: int
    numbering: Numbering
    double: bool = False
    bare: bool = False

    @staticmethod
    def alone(inputs: tuple[str, ...], shapes: tuple[Shape, ...], weights: Iterable[str]) -> Site:
        """The site of an op of which only its inputs are known."""
        from netspec.backends.onnx.flat import Numbering  # made of nodes itself

        numbering = Numbering()
        for name, shape in zip(inputs, shapes, strict=True):
            numbering.count(name, shape)
        return Site(inputs, shapes, tuple(map(Stored, weights)), DEFAULT_OPSET, numbering)


Row = Callable[[Any, Site], Operand]


"""Gives the tree whose root computes the op, or a name where the op only passes a value on."""


def _attempt(row: Row, op: Op, shapes: tuple[Shape, ...], weights: tuple[str, ...]) -> Operand:
    inputs = tuple(f"x{number}" for number in range(len(shapes)))
    return row(op, Site.alone(inputs, shapes, weights))


ROWS: Rows[Row] = Rows("onnx", _attempt)


class Flat(NamedTuple):
    """What a row takes flat: its inputs but for so many of the last; and whether it lets positions attend to others."""

    but: Callable[[Any], int]
    attends: bool


FLAT: dict[type[Op], Flat] = {}
"""The ops whose rows take and give all positions of a tensor of several axes in one axis (`flat.py`)."""


def takes_flat(
    op: type[Op], *, but: Callable[[Any], int] = lambda _: 0, attends: bool = False
) -> Callable[[Row], Row]:
    """Say so of the decorated row for an op."""

    def register(row: Row) -> Row:
        FLAT[op] = Flat(but, attends)
        return row

    return register


def node(op_type: str, *operands: Operand, **attributes: Any) -> Apply:
    """The application of an ONNX op."""
    return Apply(op_type, operands, attributes)


def describe(tree: Operand) -> str:
    """A tree as nested calls, with the attributes behind the operands."""
    if isinstance(tree, str):
        return tree
    if isinstance(tree, Constant):
        values = tree.values if len(tree.values) <= 8 else (*tree.values[:8], "...")
        shown = ", ".join(
            f"{value:g}" if isinstance(value, float) else str(value) for value in values
        )
        return shown if tree.shape == () else f"[{shown}]"
    operands = [describe(each) for each in tree.operands]
    attributes = [f"{name}={value}" for name, value in tree.attributes.items()]
    return f"{tree.op_type}({', '.join([*operands, *attributes])})"


def number(value: float) -> Constant:
    """A scalar of the model's float type."""
    return Constant((float(value),), ())


def singles(values: Iterable[float], shape: tuple[int, ...]) -> Constant:
    """Numbers rounded to float32, in a model of float64 too."""
    rounded = array("f", values)
    return Constant(tuple(rounded), shape)


def integers(*values: int) -> Constant:
    """A vector of int64, as ONNX takes axes and sizes."""
    return Constant(values, (len(values),))


def same_op(op_type: str, op: Op, site: Site) -> Operand:  # noqa: ARG001
    """The ONNX op of the same meaning, without attributes."""
    return node(op_type, *site.inputs)


def reduced(
    op_type: str, site: Site, *axes: int, of: Operand | None = None, keep: bool = False
) -> Apply:
    """A reduction of the input, or `of` another value, over these axes; they are an attribute below opset 18."""
    value = site.inputs[0] if of is None else of
    if site.opset < (13 if op_type == "ReduceSum" else 18):
        return node(op_type, value, axes=axes, keepdims=int(keep))
    return node(op_type, value, integers(*axes), keepdims=int(keep))


def padded(pads: str | tuple[int, ...]) -> dict[str, Any]:
    """Settled padding as attributes; `same` where its numbers are known only at run time."""
    return {"auto_pad": "SAME_UPPER"} if pads == "same" else {"pads": pads}


def moved_last(apply: Callable[[Operand], Operand], x: Operand, shape: Shape) -> Operand:
    """What works on the last axis, applied to the channels."""
    count, place = len(shape.axes), shape.axes.index("c") + 1
    if place == count:
        return apply(x)
    order = (*(i for i in range(count + 1) if i != place), place)
    back = tuple(order.index(i) for i in range(count + 1))
    return node("Transpose", apply(node("Transpose", x, perm=order)), perm=back)


def axis_of(shape: Shape, name: str) -> int:
    """The place of a named axis, the batch counted."""
    return shape.axes.index(name) + 1


def per_channel(vector: Operand, x: Shape) -> Operand:
    """A vector `(c)` with an axis for each that stands behind the channels of `x`."""
    behind = len(x.axes) - 1 - x.axes.index("c")
    return node("Unsqueeze", vector, integers(*range(1, 1 + behind))) if behind else vector
