"""Dense layers: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.initial import DEFAULTS, initials
from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr
from netspec.ops.dense import Dense
from netspec.shape import Shape


@ROWS.row(Dense)
def dense(op: Dense, x: Shape) -> Layer:
    """Acts on the last axis, which holds the features of vectors and sequences."""
    keywords: dict[str, Expr] = {"use_bias": op.bias, **initials(op.weights(x))}
    return single(
        Call("layers.Dense", {"units": op.units}, keywords, {"use_bias": True, **DEFAULTS})
    )
