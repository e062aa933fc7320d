"""Ops that make one tensor of several: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer, X, function
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Expr, Infix, Items, Subscript, arg, call
from netspec.ops.merge import Add, Concat, Maximum, Mean, Multiply, Stack, Subtract
from netspec.shape import Shape


def _infix(operator: str, count: int) -> Expr:
    return Infix(operator, tuple(arg(i) for i in range(count)))


@ROWS.row(Add)
def add(_op: Add, *xs: Shape) -> Layer:
    """A sum."""
    return Layer(forward=_infix("+", len(xs)))


@ROWS.row(Subtract)
def subtract(_op: Subtract, *xs: Shape) -> Layer:
    """A difference."""
    return Layer(forward=_infix("-", len(xs)))


@ROWS.row(Multiply)
def multiply(_op: Multiply, *xs: Shape) -> Layer:
    """A vector beside images or sequences is spread over their positions."""
    whole = max(xs, key=lambda x: len(x.sizes))
    gate = ", ".join([":", *(":" if letter == "c" else "None" for letter in whole.axes)])
    factors = [Subscript(arg(i), gate) if x != whole else arg(i) for i, x in enumerate(xs)]
    return Layer(forward=Infix("*", tuple(factors)))


@ROWS.row(Maximum)
def maximum(_op: Maximum, *xs: Shape) -> Layer:
    """Pair by pair."""
    expr: Expr = X
    for i in range(1, len(xs)):
        expr = call("torch.maximum", expr, arg(i))
    return Layer(forward=expr)


@ROWS.row(Mean)
def mean(_op: Mean, *xs: Shape) -> Layer:
    """The sum over the count."""
    return Layer(forward=Infix("/", (_infix("+", len(xs)), len(xs))))


@ROWS.row(Concat)
def concat(op: Concat, *xs: Shape) -> Layer:
    """Axes count from the batch."""
    branches = Items(tuple(arg(i) for i in range(len(xs))))
    return function("torch.cat", branches, dim=1 + xs[0].axes.index(op.axis))


@ROWS.row(Stack)
def stack(op: Stack, *xs: Shape) -> Layer:
    """Axes count from the batch."""
    branches = Items(tuple(arg(i) for i in range(len(xs))))
    return function("torch.stack", branches, dim=1 + op.infer(*xs).axes.index(op.axis))
