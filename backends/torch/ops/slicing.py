"""Ops that keep a part of a tensor, or put its elements elsewhere: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer, X, method
from netspec.backends.torch.rows import ROWS
from netspec.emit.ranges import Range
from netspec.emit.source import Subscript, index_along
from netspec.ops.slicing import Expand, Flip, Roll, Slice, Take
from netspec.shape import Shape


@ROWS.row(Slice, Take)
def part(op: Slice | Take, x: Shape) -> Layer:
    """Indices, as in NumPy."""
    place, rank = 1 + x.axes.index(op.axis), 1 + len(x.sizes)
    if isinstance(op, Take):
        return Layer(forward=Subscript(X, index_along(place, rank, op.index)))
    kept = Range(op.start, op.stop, op.step, open=op.stop in (None, x.axis(op.axis)))
    return Layer(forward=Subscript(X, index_along(place, rank, kept)))


@ROWS.row(Flip)
def flip(op: Flip, x: Shape) -> Layer:
    """Axes count from the batch."""
    return method("flip", tuple(1 + x.axes.index(letter) for letter in op.axes))


@ROWS.row(Roll)
def roll(op: Roll, x: Shape) -> Layer:
    """Axes count from the batch."""
    axes = tuple(1 + x.axes.index(letter) for letter, _ in op.shifts)
    shifts = tuple(shift for _, shift in op.shifts)
    if len(axes) == 1:
        return method("roll", *shifts, dims=axes[0])
    return method("roll", shifts, dims=axes)


@ROWS.row(Expand)
def expand(op: Expand, x: Shape) -> Layer:
    """-1 keeps the batch and the other axes."""
    sizes = dict(op.sizes)
    return method("expand", -1, *(sizes.get(letter, -1) for letter in x.axes))
