"""Dense layers: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import WEIGHT, Layer, X, function
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call, Infix
from netspec.ops.dense import Dense, Tied
from netspec.shape import Shape


@ROWS.row(Dense)
def dense(op: Dense, x: Shape) -> Layer:
    """`Linear` acts on the last axis, which holds the features; of a sequence it gives a view."""
    positional = {"in_features": x.axis("c"), "out_features": op.units}
    module = Call("nn.Linear", positional, {"bias": op.bias}, {"bias": True})
    return Layer(module, heavy=True, gives_up=len(x.axes) == 1)


@ROWS.row(Tied)
def tied(op: Tied, _x: Shape) -> Layer:
    """The product with the weight of another module."""
    if op.rows == "outputs":
        return function("F.linear", X, WEIGHT)
    return Layer(forward=Infix("@", (X, WEIGHT)), heavy=True)
