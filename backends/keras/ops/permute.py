"""Axes in another order: how Keras realises it."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, expression, single
from netspec.backends.keras.rows import ROWS, held_axes
from netspec.emit.source import Call, arg
from netspec.ops.permute import Permute
from netspec.shape import Shape


@ROWS.row(Permute)
def permute(op: Permute, x: Shape) -> Layer:
    """Between the orders in which Keras holds both; they may be one."""
    before, after = held_axes(x.axes), held_axes(op.axes)
    if before == after:
        return expression(arg(0))
    return single(Call("layers.Permute", {"dims": tuple(1 + before.index(a) for a in after)}))
