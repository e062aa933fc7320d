"""Element functions: how Keras realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.keras.layer import Layer, expression
from netspec.backends.keras.rows import ROWS, Row
from netspec.emit.source import Infix, arg, call
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

_X = arg(0)


def _function(name: str) -> Row:
    def row(_op: Any, _x: Shape) -> Layer:
        return expression(call(f"ops.{name}", _X))

    return row


for _op, _name in (
    (Abs, "abs"),
    (Ceil, "ceil"),
    (Cos, "cos"),
    (Erf, "erf"),
    (Exp, "exp"),
    (Floor, "floor"),
    (Log, "log"),
    (Negative, "negative"),
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
    return expression(Infix("*", (_X, op.k)))


@ROWS.row(Plus)
def plus(op: Plus, _x: Shape) -> Layer:
    """A sum, or a difference."""
    return expression(Infix("-" if op.k < 0 else "+", (_X, abs(op.k))))


@ROWS.row(Power)
def power(op: Power, _x: Shape) -> Layer:
    """The same as the spec's."""
    return expression(call("ops.power", _X, op.k))


@ROWS.row(Clamp)
def clamp(op: Clamp, _x: Shape) -> Layer:
    """Keras's own has two bounds."""
    if op.low is None:
        return expression(call("ops.minimum", _X, op.high))
    if op.high is None:
        return expression(call("ops.maximum", _X, op.low))
    return expression(call("ops.clip", _X, op.low, op.high))
