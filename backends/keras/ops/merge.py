"""Ops that make one tensor of several: how Keras realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.keras.layer import Layer, Step, single
from netspec.backends.keras.rows import (
    ROWS,
    Row,
    held_axes,
    held_axis,
    in_order,
)
from netspec.emit.source import Call, Code, Items, arg, call
from netspec.ops.merge import Add, Concat, Maximum, Mean, Multiply, Stack, Subtract
from netspec.shape import Shape


def _merge(func: str) -> Row:
    def row(_op: Any, *xs: Shape) -> Layer:
        return single(Call(func), len(xs))

    return row


ROWS.row(Add)(_merge("layers.Add"))


ROWS.row(Maximum)(_merge("layers.Maximum"))


ROWS.row(Mean)(_merge("layers.Average"))


@ROWS.row(Subtract)
def subtract(_op: Subtract, *xs: Shape) -> Layer:
    """Keras subtracts one tensor from one."""
    count = len(xs)
    if count == 2:
        return single(Call("layers.Subtract"), 2)
    rest = Step(Call("layers.Add"), tuple(range(1, count)), "rest")
    return Layer((rest, Step(Call("layers.Subtract"), (0, count))))


@ROWS.row(Multiply)
def multiply(_op: Multiply, *xs: Shape) -> Layer:
    """A vector beside images or sequences gets axes for their positions."""
    whole = max(xs, key=lambda x: len(x.sizes))
    gates = [i for i, x in enumerate(xs) if x != whole]
    sizes = ("-1" if letter == "c" else "1" for letter in held_axes(whole.axes))
    spread = Call("layers.Reshape", {"target_shape": Code(f"({', '.join(sizes)})")})
    steps = [
        Step(spread, (i,), "gate" if len(gates) == 1 else f"gate{number}")
        for number, i in enumerate(gates, start=1)
    ]
    reads = [len(xs) + gates.index(i) if i in gates else i for i in range(len(xs))]
    return Layer((*steps, Step(Call("layers.Multiply"), tuple(reads))))


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
