"""Functions of each element, and softmax: how PyTorch realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.rows import ROWS, Row
from netspec.emit.source import Call
from netspec.ops.activation import (
    Gelu,
    LeakyRelu,
    LogSoftmax,
    Relu,
    Relu6,
    Sigmoid,
    Silu,
    Softmax,
    Tanh,
)
from netspec.shape import Shape


def _activation(func: str) -> Row:
    def row(_op: Any, _x: Shape) -> Layer:
        return Layer(Call(func), shared=True)

    return row


for _op, _func in (
    (Relu, "nn.ReLU"),
    (Relu6, "nn.ReLU6"),
    (Sigmoid, "nn.Sigmoid"),
    (Tanh, "nn.Tanh"),
    (Silu, "nn.SiLU"),
):
    ROWS.row(_op)(_activation(_func))


@ROWS.row(LeakyRelu)
def leaky_relu(op: LeakyRelu, _x: Shape) -> Layer:
    """The same default slope as the spec's."""
    call_ = Call("nn.LeakyReLU", {}, {"negative_slope": op.slope}, {"negative_slope": 0.01})
    return Layer(call_, shared=True)


@ROWS.row(Gelu)
def gelu(op: Gelu, _x: Shape) -> Layer:
    """Exact by default in both."""
    approximate = "tanh" if op.form == "tanh" else "none"
    return Layer(
        Call("nn.GELU", {}, {"approximate": approximate}, {"approximate": "none"}), shared=True
    )


@ROWS.row(Softmax)
def softmax(_op: Softmax, x: Shape) -> Layer:
    """Along the features."""
    return Layer(Call("nn.Softmax", {}, {"dim": 1 + x.axes.index("c")}), shared=True)


@ROWS.row(LogSoftmax)
def log_softmax(_op: LogSoftmax, x: Shape) -> Layer:
    """Along the features."""
    return Layer(Call("nn.LogSoftmax", {}, {"dim": 1 + x.axes.index("c")}), shared=True)
