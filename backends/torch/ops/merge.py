"""Ops that make one tensor of several: how PyTorch realises them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from netspec.backends.torch.layer import Layer, X, function
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Expr, Infix, Items, Subscript, arg, call
from netspec.ops.base import Op
from netspec.ops.merge import (
    Add,
    Concat,
    Divide,
    MatMul,
    Maximum,
    Mean,
    Minimum,
    Multiply,
    Stack,
    Subtract,
    whole_of,
)
from netspec.shape import Shape


def _infix(operator: str, count: int) -> Expr:
    return Infix(operator, tuple(arg(i) for i in range(count)))


def _with_gates(operator: str, _op: Op, *xs: Shape) -> Layer:
    """A gate gets the axes that it lacks."""
    whole = whole_of(xs)
    operands: list[Expr] = []
    for i, x in enumerate(xs):
        index = [":", *(":" if letter in x.axes else "None" for letter in whole.axes)]
        operands.append(Subscript(arg(i), ", ".join(index)) if "None" in index else arg(i))
    return Layer(forward=Infix(operator, tuple(operands)), gives_up=True)


for _kind, _operator in ((Add, "+"), (Subtract, "-"), (Multiply, "*"), (Divide, "/")):
    ROWS.row(_kind)(partial(_with_gates, _operator))


@ROWS.row(MatMul)
def matmul(op: MatMul, *_xs: Shape) -> Layer:
    """The operator of Python."""
    second = call("transpose", -2, -1, on=arg(1)) if op.transpose else arg(1)
    return Layer(forward=Infix("@", (X, second)))


def _pairwise(func: str, values: Sequence[Expr]) -> Expr:
    """Both halves apart, so that many are nested but a little."""
    if len(values) == 1:
        return values[0]
    half = (len(values) + 1) // 2
    return call(func, _pairwise(func, values[:half]), _pairwise(func, values[half:]))


@ROWS.row(Maximum)
def maximum(_op: Maximum, *xs: Shape) -> Layer:
    """Pair by pair."""
    return Layer(forward=_pairwise("torch.maximum", [*map(arg, range(len(xs)))]))


@ROWS.row(Minimum)
def minimum(_op: Minimum, *xs: Shape) -> Layer:
    """Pair by pair."""
    return Layer(forward=_pairwise("torch.minimum", [*map(arg, range(len(xs)))]))


@ROWS.row(Mean)
def mean(_op: Mean, *xs: Shape) -> Layer:
    """The sum over the count."""
    return Layer(forward=Infix("/", (_infix("+", len(xs)), len(xs))))


@ROWS.row(Concat)
def concat(op: Concat, *xs: Shape) -> Layer:
    """Axes count from the batch."""
    branches = Items(tuple(arg(i) for i in range(len(xs))))
    layer = function("torch.cat", branches, dim=1 + xs[0].axes.index(op.axis))
    return layer._replace(gives_up=True)


@ROWS.row(Stack)
def stack(op: Stack, *xs: Shape) -> Layer:
    """Axes count from the batch."""
    branches = Items(tuple(arg(i) for i in range(len(xs))))
    return function("torch.stack", branches, dim=1 + op.infer(*xs).axes.index(op.axis))
