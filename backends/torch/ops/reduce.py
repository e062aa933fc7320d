"""Reductions over named axes: how PyTorch realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.torch.layer import Layer, X
from netspec.backends.torch.rows import ROWS, Row
from netspec.emit.source import Call, Expr, call
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


def _reduction(func: str, **more: Expr) -> Row:
    def row(op: Any, x: Shape) -> Layer:
        dims = tuple(1 + x.axes.index(axis) for axis in op.axes)
        keywords = {"dim": dims if len(dims) > 1 else dims[0], **more, "keepdim": op.keep}
        return Layer(forward=Call(func, {}, keywords, {"keepdim": False}, on=X))

    return row


for _op, _func in (
    (ReduceSum, "sum"),
    (ReduceMean, "mean"),
    (ReduceMax, "amax"),
    (ReduceMin, "amin"),
    (ReduceLogSumExp, "logsumexp"),
):
    ROWS.row(_op)(_reduction(_func))

ROWS.row(ReduceVariance)(_reduction("var", correction=0))
ROWS.row(ReduceDeviation)(_reduction("std", correction=0))


@ROWS.row(ReduceProduct)
def product(op: ReduceProduct, x: Shape) -> Layer:
    """PyTorch multiplies along one axis at a time: the last ones first, so that the others keep their places."""
    expr: Expr = X
    for axis in reversed(op.axes):
        keywords: dict[str, Expr] = {"keepdim": True} if op.keep else {}
        expr = call("prod", on=expr, dim=1 + x.axes.index(axis), **keywords)
    return Layer(forward=expr)
