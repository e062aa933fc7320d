"""Ops that make one tensor of several: how Keras realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.keras.layer import Layer, Step, expression, single
from netspec.backends.keras.rows import (
    ROWS,
    Row,
    held_axes,
    held_axis,
    in_order,
)
from netspec.emit.source import Call, Code, Expr, Infix, Items, arg, call, short
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


def _merge(func: str) -> Row:
    def row(_op: Any, *xs: Shape) -> Layer:
        return single(Call(func), len(xs))

    return row


ROWS.row(Maximum)(_merge("layers.Maximum"))


ROWS.row(Minimum)(_merge("layers.Minimum"))


ROWS.row(Mean)(_merge("layers.Average"))


@ROWS.row(Add)
def add(_op: Add, *xs: Shape) -> Layer:
    """A layer for equal shapes, else a function of the file's own: Keras's sum does not repeat safely."""
    whole = whole_of(xs)
    if all(x == whole for x in xs):
        return single(Call("layers.Add"), len(xs))
    steps, reads = _spread(xs)
    operands = [arg(i) for i, x in enumerate(xs) if x == whole]
    gates = [arg(i) for i, x in enumerate(xs) if x != whole]
    first = Infix("+", tuple(operands)) if len(operands) > 1 else operands[0]
    return Layer((*steps, Step(call("spread_sum", first, *gates), reads, expression=True)))


@ROWS.row(Subtract)
def subtract(_op: Subtract, *xs: Shape) -> Layer:
    """Keras's layer subtracts one tensor from one."""
    count = len(xs)
    if any(x != xs[0] for x in xs):
        steps, reads = _spread(xs)
        difference = Infix("-", tuple(arg(i) for i in range(count)))
        return Layer((*steps, Step(difference, reads, expression=True)))
    if count == 2:
        return single(Call("layers.Subtract"), 2)
    rest = Step(Call("layers.Add"), tuple(range(1, count)), "rest")
    return Layer((rest, Step(Call("layers.Subtract"), (0, count))))


@ROWS.row(Multiply)
def multiply(_op: Multiply, *xs: Shape) -> Layer:
    """Keras repeats what has axes of size 1."""
    steps, reads = _spread(xs)
    return Layer((*steps, Step(Call("layers.Multiply"), reads)))


@ROWS.row(Divide)
def divide(_op: Divide, *xs: Shape) -> Layer:
    """Keras has no layer for it."""
    steps, reads = _spread(xs)
    quotient = Infix("/", tuple(arg(i) for i in range(len(xs))))
    return Layer((*steps, Step(quotient, reads, expression=True)))


def _spread(xs: tuple[Shape, ...]) -> tuple[list[Step], tuple[int, ...]]:
    """Steps that give every gate all axes, in Keras's order, and where the values stand then."""
    whole = held_axes(whole_of(xs).axes)
    gates = [i for i, x in enumerate(xs) if len(x.axes) < len(whole)]
    steps = []
    for number, i in enumerate(gates, start=1):
        own = held_axes(xs[i].axes)
        suffix = "gate" if len(gates) == 1 else f"gate{number}"
        if own == "c":
            sizes = ", ".join("-1" if letter == "c" else "1" for letter in whole)
            steps.append(
                Step(Call("layers.Reshape", {"target_shape": Code(f"({sizes})")}), (i,), suffix)
            )
            continue
        kept = [letter for letter in whole if letter in own]
        value: Expr = arg(0)
        if kept != list(own):
            value = call("ops.transpose", value, (0, *(1 + own.index(letter) for letter in kept)))
        new = short([1 + at for at, letter in enumerate(whole) if letter not in own])
        steps.append(Step(call("ops.expand_dims", value, axis=new), (i,), suffix, expression=True))
    reads = [len(xs) + gates.index(i) if i in gates else i for i in range(len(xs))]
    return steps, tuple(reads)


@ROWS.row(MatMul)
def matmul(op: MatMul, *_xs: Shape) -> Layer:
    """Over the last two axes, which Keras holds as the spec does."""
    second: Expr = call("ops.swapaxes", arg(1), -1, -2) if op.transpose else arg(1)
    return expression(call("ops.matmul", arg(0), second), 2)


@ROWS.row(Concat)
def concat(op: Concat, *xs: Shape) -> Layer:
    """Axes count from the batch, with the channels last."""
    axis = held_axis(xs[0], op.axis)
    return single(Call("layers.Concatenate", {}, {"axis": axis}, {"axis": -1}), len(xs))


@ROWS.row(Stack)
def stack(op: Stack, *xs: Shape) -> Layer:
    """In the order in which Keras holds the branches, and from there into that of the result."""
    x, y = xs[0], op.infer(*xs)
    branches = Items(tuple(arg(i) for i in range(len(xs))))
    stacked = call("ops.stack", branches, axis=1)
    return in_order(stacked, op.axis + held_axes(x.axes), y, len(xs))
