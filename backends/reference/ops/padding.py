"""Borders around positions, put on and taken away. None has weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from netspec.backends.reference.border import bordered, unbordered
from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result, channels_first
from netspec.ops.padding import Crop, Pad
from netspec.shape import split_pads
from netspec.weights import Array


def _middle(amount: tuple[int, ...], padded: tuple[int, ...]) -> tuple[Any, ...]:
    """Where the positions within a border are, in an array of those sizes."""
    sides = zip(split_pads(amount), padded, strict=True)
    return (..., *(slice(before, size - after) for (before, after), size in sides))


@ROWS.row(Pad)
@channels_first
def _pad(op: Pad, at: Applied) -> Result:
    (x,) = at.inputs
    spatial = x.shape[2:]
    if op.mode != "constant":
        return Result(
            bordered(x, op.amount, op.mode),
            lambda dy: Gradients((unbordered(dy, op.amount, op.mode, spatial),)),
        )
    pairs = split_pads(op.amount)
    y = np.pad(x, [(0, 0), (0, 0), *pairs], constant_values=op.value)
    return Result(y, lambda dy: Gradients((dy[_middle(op.amount, y.shape[2:])],)))


@ROWS.row(Crop)
@channels_first
def _crop(op: Crop, at: Applied) -> Result:
    (x,) = at.inputs
    places = _middle(op.amount, x.shape[2:])

    def pullback(dy: Array) -> Gradients:
        dx = np.zeros_like(x)
        dx[places] = dy
        return Gradients((dx,))

    return Result(x[places], pullback)
