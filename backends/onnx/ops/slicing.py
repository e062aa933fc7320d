"""Ops that keep a part of a tensor, or put its elements elsewhere: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Constant, Operand, Site, axis_of, integers, node
from netspec.ops.slicing import Expand, Flip, Roll, Slice, Take

_FIRST, _END = -(2**63), 2**63 - 1
"""Bounds beyond every axis, for slices to its first position and to its end."""


@ROWS.row(Slice)
def slice_(op: Slice, site: Site) -> Operand:
    """`Slice` along one axis."""
    axis, stop = axis_of(site.shapes[0], op.axis), _END if op.stop is None else op.stop
    return _slice(site.inputs[0], op.start, stop, axis, op.step)


def _slice(x: Operand, start: int, stop: int, axis: int, step: int = 1) -> Operand:
    bounds = (integers(start), integers(stop), integers(axis))
    return node("Slice", x, *bounds, *([integers(step)] if step != 1 else []))


@ROWS.row(Take)
def take(op: Take, site: Site) -> Operand:
    """`Gather` of one index drops its axis."""
    axis = axis_of(site.shapes[0], op.axis)
    return node("Gather", *site.inputs, Constant((op.index,), ()), axis=axis)


@ROWS.row(Flip)
def flip(op: Flip, site: Site) -> Operand:
    """`Slice` with a step of -1 along all axes at once."""
    axes = [axis_of(site.shapes[0], letter) for letter in op.axes]
    ones = (-1,) * len(axes)
    starts, stops, steps = integers(*ones), integers(*(_FIRST for _ in axes)), integers(*ones)
    return node("Slice", *site.inputs, starts, stops, integers(*axes), steps)


@ROWS.row(Roll)
def roll(op: Roll, site: Site) -> Operand:
    """The two parts of each axis change places."""
    (value,), (x,) = site.inputs, site.shapes
    rolled: Operand = value
    for letter, shift in op.shifts:
        axis, size = axis_of(x, letter), x.axis(letter)
        if shift % size:
            cut = size - shift % size
            parts = (_slice(rolled, cut, size, axis), _slice(rolled, 0, cut, axis))
            rolled = node("Concat", *parts, axis=axis)
    return rolled


@ROWS.row(Expand)
def expand(op: Expand, site: Site) -> Operand:
    """`Tile`: one position is repeated, so tiles and copies of each are the same."""
    sizes = dict(op.sizes)
    times = (sizes.get(letter, 1) for letter in site.shapes[0].axes)
    return node("Tile", *site.inputs, integers(1, *times))
