"""Normalisations: how Keras realises them."""

from __future__ import annotations

from decimal import Decimal

from netspec.backends.keras.layer import Held, Layer, single
from netspec.backends.keras.rows import (
    ROWS,
)
from netspec.emit.source import Call, Expr
from netspec.ops.norm import BatchNorm
from netspec.shape import Shape


@ROWS.row(BatchNorm)
def batch_norm(op: BatchNorm, _x: Shape) -> Layer:
    """Keras's momentum is the weight of the old statistics."""
    keywords: dict[str, Expr] = {
        "momentum": float(1 - Decimal(repr(op.momentum))),
        "epsilon": op.eps,
        "center": op.affine,
        "scale": op.affine,
    }
    defaults = {"momentum": 0.9, "epsilon": 1e-5, "center": True, "scale": True}
    held = {
        "weight": (Held("gamma"),),
        "bias": (Held("beta"),),
        "running_mean": (Held("moving_mean"),),
        "running_var": (Held("moving_variance"),),
    }
    return single(Call("BatchNorm", {}, keywords, defaults), held=held)
