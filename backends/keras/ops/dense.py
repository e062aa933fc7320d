"""Dense layers: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.rows import (
    ROWS,
)
from netspec.emit.source import Call
from netspec.ops.dense import Dense
from netspec.shape import Shape


@ROWS.row(Dense)
def dense(op: Dense, _x: Shape) -> Layer:
    """Acts on the last axis, which holds the features of vectors and sequences."""
    return single(
        Call("layers.Dense", {"units": op.units}, {"use_bias": op.bias}, {"use_bias": True})
    )
