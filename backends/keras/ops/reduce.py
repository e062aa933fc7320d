"""Reductions over named axes: how Keras realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.keras.layer import Layer
from netspec.backends.keras.rows import ROWS, Row, held_axes, held_axis, in_order
from netspec.emit.source import Call, arg
from netspec.ops.reduce import (
    ReduceDeviation,
    ReduceLogSumExp,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProduct,
    ReduceSum,
    ReduceVariance,
)
from netspec.shape import Shape


def _reduction(func: str) -> Row:
    """Over the axes where Keras holds them; what is left may have to change its order."""

    def row(op: Any, x: Shape) -> Layer:
        held = held_axes(x.axes)
        axes = tuple(held_axis(x, axis) for axis in held if axis in op.axes)
        keywords = {"axis": axes if len(axes) > 1 else axes[0], "keepdims": op.keep}
        reduced = Call(func, {"x": arg(0)}, keywords, {"keepdims": False})
        left = "".join(axis for axis in held if op.keep or axis not in op.axes)
        return in_order(reduced, left, op.infer(x))

    return row


for _op, _func in (
    (ReduceSum, "ops.sum"),
    (ReduceMean, "ops.mean"),
    (ReduceMax, "ops.max"),
    (ReduceMin, "ops.min"),
    (ReduceProduct, "ops.prod"),
    (ReduceLogSumExp, "ops.logsumexp"),
    (ReduceVariance, "ops.var"),
    (ReduceDeviation, "ops.std"),
):
    ROWS.row(_op)(_reduction(_func))
