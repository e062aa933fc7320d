"""Dense layers: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.initial import DEFAULTS, initials
from netspec.backends.keras.layer import LENDER, Layer, expression, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr, arg
from netspec.ops.dense import Dense, Tied
from netspec.shape import Shape


@ROWS.row(Dense)
def dense(op: Dense, x: Shape) -> Layer:
    """Acts on the last axis, which holds the features."""
    keywords: dict[str, Expr] = {"use_bias": op.bias, **initials(op.weights(x))}
    return single(
        Call("layers.Dense", {"units": op.units}, keywords, {"use_bias": True, **DEFAULTS})
    )


@ROWS.row(Tied)
def tied(_op: Tied, _x: Shape) -> Layer:
    """The other layer, which the file makes one that also maps the other way."""
    return expression(Call(LENDER, {"inputs": arg(0)}, {"reverse": True}))
