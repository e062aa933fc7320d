"""Borders around positions, put on and taken away: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, expression, single
from netspec.backends.keras.rows import ROWS, around, has_size, pad_pairs
from netspec.emit.source import Call, arg, call
from netspec.ops.padding import Crop, Pad
from netspec.shape import Shape


@ROWS.row(Pad)
def pad(op: Pad, _x: Shape) -> Layer:
    """A layer for zeros; `ops.pad` knows neither `replicate` nor `circular` on all of Keras's backends."""
    pairs = pad_pairs(op.amount)
    if not has_size(pairs):
        return expression(arg(0))
    if op.mode != "constant":
        return single(Call("BorderPadding", {"padding": tuple(pairs)}, {"mode": op.mode}))
    if op.value == 0:
        return single(around("layers.ZeroPadding", pairs))
    sides = ((0, 0), *pairs, (0, 0))
    return expression(call("ops.pad", arg(0), sides, constant_values=op.value))


@ROWS.row(Crop)
def crop(op: Crop, _x: Shape) -> Layer:
    """A layer."""
    pairs = pad_pairs(op.amount)
    return single(around("layers.Cropping", pairs)) if has_size(pairs) else expression(arg(0))
