"""Dense layers: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.dense import Dense
from netspec.shape import Shape


@ROWS.row(Dense)
def dense(op: Dense, x: Shape) -> Layer:
    """`Linear` acts on the last axis, which holds the features of vectors and sequences."""
    positional = {"in_features": x.axis("c"), "out_features": op.units}
    return Layer(Call("nn.Linear", positional, {"bias": op.bias}, {"bias": True}), heavy=True)
