"""Ops that keep a part of a tensor, or put its elements elsewhere: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, expression
from netspec.backends.keras.rows import ROWS, held_axes, held_axis, in_order
from netspec.emit.ranges import Range
from netspec.emit.source import Expr, Subscript, arg, call, index_along
from netspec.ops.slicing import Expand, Flip, Roll, Slice, Take
from netspec.shape import Shape


@ROWS.row(Slice)
def slice_(op: Slice, x: Shape) -> Layer:
    """Indices, as in NumPy."""
    kept = Range(op.start, op.stop, op.step, open=op.stop in (None, x.axis(op.axis)))
    return expression(Subscript(arg(0), _along(x, op.axis, kept)))


@ROWS.row(Take)
def take(op: Take, x: Shape) -> Layer:
    """An index; what is left may stand in another order than Keras holds it in."""
    left = held_axes(x.axes).replace(op.axis, "")
    return in_order(Subscript(arg(0), _along(x, op.axis, op.index)), left, op.infer(x))


def _along(x: Shape, letter: str, index: Expr) -> tuple[Expr, ...]:
    rank = 1 + len(x.sizes)
    return index_along(held_axis(x, letter) % rank, rank, index)


@ROWS.row(Flip)
def flip(op: Flip, x: Shape) -> Layer:
    """Axes count from the batch."""
    axes = tuple(held_axis(x, letter) for letter in op.axes)
    return expression(call("ops.flip", arg(0), axis=axes[0] if len(axes) == 1 else axes))


@ROWS.row(Roll)
def roll(op: Roll, x: Shape) -> Layer:
    """Axes count from the batch."""
    axes: Expr = tuple(held_axis(x, letter) for letter, _ in op.shifts)
    shifts: Expr = tuple(shift for _, shift in op.shifts)
    if len(op.shifts) == 1:
        axes, shifts = held_axis(x, op.shifts[0][0]), op.shifts[0][1]
    return expression(call("ops.roll", arg(0), shifts, axis=axes))


@ROWS.row(Expand)
def expand(op: Expand, x: Shape) -> Layer:
    """One position is repeated, so tiles and copies of each are the same."""
    sizes = dict(op.sizes)
    return expression(
        call("ops.tile", arg(0), (1, *(sizes.get(letter, 1) for letter in held_axes(x.axes))))
    )
