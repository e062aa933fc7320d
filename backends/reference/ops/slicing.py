"""Ops that keep a part of a tensor, or put its elements elsewhere. None has weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.slicing import Expand, Flip, Roll, Slice, Take
from netspec.weights import Array


@ROWS.row(Slice, Take)
def _part(op: Slice | Take, at: Applied) -> Result:
    (x,) = at.inputs
    kept = slice(op.start, op.stop, op.step) if isinstance(op, Slice) else op.index
    places = (slice(None),) * (1 + at.shapes[0].axes.index(op.axis))
    index: tuple[Any, ...] = (*places, kept)

    def pullback(dy: Array) -> Gradients:
        dx = np.zeros_like(x)
        dx[index] = dy
        return Gradients((dx,))

    return Result(x[index], pullback)


@ROWS.row(Flip)
def _flip(op: Flip, at: Applied) -> Result:
    axes = tuple(1 + at.shapes[0].axes.index(letter) for letter in op.axes)
    return Result(np.flip(at.inputs[0], axes), lambda dy: Gradients((np.flip(dy, axes),)))


@ROWS.row(Roll)
def _roll(op: Roll, at: Applied) -> Result:
    axes = [1 + at.shapes[0].axes.index(letter) for letter, _ in op.shifts]
    there = [shift for _, shift in op.shifts]
    back = [-shift for shift in there]
    return Result(
        np.roll(at.inputs[0], there, axes), lambda dy: Gradients((np.roll(dy, back, axes),))
    )


@ROWS.row(Expand)
def _expand(op: Expand, at: Applied) -> Result:
    (x,) = at.inputs
    sizes = dict(op.sizes)
    times = (1, *(sizes.get(letter, 1) for letter in at.shapes[0].axes))
    axes = tuple(axis for axis, count in enumerate(times) if count != 1)
    return Result(np.tile(x, times), lambda dy: Gradients((dy.sum(axes, keepdims=True),)))
