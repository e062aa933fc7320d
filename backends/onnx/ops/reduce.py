"""Reductions over named axes: how ONNX realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Row,
    Site,
    axis_of,
    node,
    reduced,
)
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


def _axes(op: Any, site: Site) -> tuple[int, ...]:
    return tuple(axis_of(site.shapes[0], axis) for axis in op.axes)


def _reduction(op_type: str) -> Row:
    def row(op: Any, site: Site) -> Operand:
        return reduced(op_type, site, *_axes(op, site), keep=op.keep)

    return row


for _op, _op_type in (
    (ReduceSum, "ReduceSum"),
    (ReduceMean, "ReduceMean"),
    (ReduceMax, "ReduceMax"),
    (ReduceMin, "ReduceMin"),
    (ReduceProduct, "ReduceProd"),
    (ReduceLogSumExp, "ReduceLogSumExp"),
):
    ROWS.row(_op)(_reduction(_op_type))


@ROWS.row(ReduceVariance)
def variance(op: ReduceVariance | ReduceDeviation, site: Site) -> Operand:
    """By its definition."""
    axes = _axes(op, site)
    centred = node("Sub", *site.inputs, reduced("ReduceMean", site, *axes, keep=True))
    return reduced("ReduceMean", site, *axes, of=node("Mul", centred, centred), keep=op.keep)


@ROWS.row(ReduceDeviation)
def deviation(op: ReduceDeviation, site: Site) -> Operand:
    """By its definition."""
    return node("Sqrt", variance(op, site))
