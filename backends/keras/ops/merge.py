"""Ops that make one tensor of several: how Keras realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.keras.layer import Layer, Step, single
from netspec.backends.keras.rows import (
    ROWS,
    Row,
)
from netspec.emit.source import Call, Code
from netspec.ops.merge import Add, Concat, Maximum, Mean, Multiply, Subtract
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
    """A vector beside images gets axes for their positions."""
    spatial = max(len(x.spatial) for x in xs)
    gates = [i for i, x in enumerate(xs) if len(x.spatial) < spatial]
    spread = Call("layers.Reshape", {"target_shape": Code(f"({'1, ' * spatial}-1)")})
    steps = [
        Step(spread, (i,), "gate" if len(gates) == 1 else f"gate{number}")
        for number, i in enumerate(gates, start=1)
    ]
    reads = [len(xs) + gates.index(i) if i in gates else i for i in range(len(xs))]
    return Layer((*steps, Step(Call("layers.Multiply"), tuple(reads))))


@ROWS.row(Concat)
def concat(op: Concat, *xs: Shape) -> Layer:
    """Axes count from the batch, with the channels last."""
    axes = xs[0].axes.replace("c", "") + "c"
    axis = -1 if op.axis == "c" else 1 + axes.index(op.axis)
    return single(Call("layers.Concatenate", {}, {"axis": axis}, {"axis": -1}), len(xs))
