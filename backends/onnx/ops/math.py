"""Element functions: how ONNX realises them."""

from __future__ import annotations

from functools import partial

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    node,
    number,
    same_op,
)
from netspec.ops.math import (
    Abs,
    Ceil,
    Clamp,
    Cos,
    Erf,
    Exp,
    Floor,
    Log,
    Negative,
    Plus,
    Power,
    Reciprocal,
    Round,
    Rsqrt,
    Sign,
    Sin,
    Sqrt,
    Square,
    Times,
)

for _op, _op_type in (
    (Abs, "Abs"),
    (Ceil, "Ceil"),
    (Cos, "Cos"),
    (Erf, "Erf"),
    (Exp, "Exp"),
    (Floor, "Floor"),
    (Log, "Log"),
    (Negative, "Neg"),
    (Reciprocal, "Reciprocal"),
    (Round, "Round"),
    (Sign, "Sign"),
    (Sin, "Sin"),
    (Sqrt, "Sqrt"),
):
    ROWS.row(_op)(partial(same_op, _op_type))


@ROWS.row(Rsqrt)
def rsqrt(op: Rsqrt, site: Site) -> Operand:  # noqa: ARG001
    """By its definition."""
    return node("Reciprocal", node("Sqrt", *site.inputs))


@ROWS.row(Square)
def square(op: Square, site: Site) -> Operand:  # noqa: ARG001
    """By its definition."""
    (x,) = site.inputs
    return node("Mul", x, x)


@ROWS.row(Times)
def times(op: Times, site: Site) -> Operand:
    """A product."""
    return node("Mul", *site.inputs, number(op.k))


@ROWS.row(Plus)
def plus(op: Plus, site: Site) -> Operand:
    """A sum."""
    return node("Add", *site.inputs, number(op.k))


@ROWS.row(Power)
def power(op: Power, site: Site) -> Operand:
    """`Pow`."""
    return node("Pow", *site.inputs, number(op.k))


@ROWS.row(Clamp)
def clamp(op: Clamp, site: Site) -> Operand:
    """`Clip` has both bounds; one alone is a `Max` or a `Min`."""
    if op.low is None:
        assert op.high is not None
        return node("Min", *site.inputs, number(op.high))
    if op.high is None:
        return node("Max", *site.inputs, number(op.low))
    return node("Clip", *site.inputs, number(op.low), number(op.high))
