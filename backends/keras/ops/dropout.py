"""Dropout: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.rows import (
    ROWS,
)
from netspec.emit.source import Call
from netspec.ops.dropout import Dropout
from netspec.shape import Shape


@ROWS.row(Dropout)
def dropout(op: Dropout, _x: Shape) -> Layer:
    """Inverted dropout, as in the spec."""
    return single(Call("layers.Dropout", {"rate": op.rate}))
