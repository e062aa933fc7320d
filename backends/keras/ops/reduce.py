"""Reductions over named axes: how Keras realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.keras.layer import Layer, expression
from netspec.backends.keras.rows import ROWS, Row, axis_of, held_axes
from netspec.emit.source import Call, arg, call
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
        axes = sorted(
            (axis_of(x, axis) for axis in op.axes), key=lambda axis: axis % len(held + "n")
        )
        keywords = {"axis": tuple(axes) if len(axes) > 1 else axes[0], "keepdims": op.keep}
        reduced = Call(func, {"x": arg(0)}, keywords, {"keepdims": False})
        left = "".join(axis for axis in held if op.keep or axis not in op.axes)
        wanted = held_axes(op.infer(x).axes)
        if left == wanted:
            return expression(reduced)
        order = (0, *(1 + left.index(axis) for axis in wanted))
        return expression(call("ops.transpose", reduced, order))

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
