"""Element functions: how PyTorch realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.torch.layer import Layer, X, method
from netspec.backends.torch.rows import ROWS, Row
from netspec.emit.source import Call, Infix, call
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
from netspec.shape import Shape


def _function(name: str) -> Row:
    def row(_op: Any, _x: Shape) -> Layer:
        return Layer(forward=call(f"torch.{name}", X))

    return row


for _op, _name in (
    (Abs, "abs"),
    (Ceil, "ceil"),
    (Cos, "cos"),
    (Erf, "erf"),
    (Exp, "exp"),
    (Floor, "floor"),
    (Log, "log"),
    (Negative, "neg"),
    (Reciprocal, "reciprocal"),
    (Round, "round"),
    (Rsqrt, "rsqrt"),
    (Sign, "sign"),
    (Sin, "sin"),
    (Sqrt, "sqrt"),
    (Square, "square"),
):
    ROWS.row(_op)(_function(_name))


@ROWS.row(Times)
def times(op: Times, _x: Shape) -> Layer:
    """A product."""
    return Layer(forward=Infix("*", (X, op.k)))


@ROWS.row(Plus)
def plus(op: Plus, _x: Shape) -> Layer:
    """A sum, or a difference."""
    return Layer(forward=Infix("-" if op.k < 0 else "+", (X, abs(op.k))))


@ROWS.row(Power)
def power(op: Power, _x: Shape) -> Layer:
    """A method, which stands behind any expression."""
    return method("pow", op.k)


@ROWS.row(Clamp)
def clamp(op: Clamp, _x: Shape) -> Layer:
    """With one bound, or with both."""
    keywords = {"min": op.low, "max": op.high}
    return Layer(forward=Call("clamp", {}, keywords, {"min": None, "max": None}, on=X))
