"""Functions of each element, and softmax: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.rows import (
    ROWS,
    constant,
)
from netspec.emit.source import Call, Code, Expr
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

for _op, _layer in (
    (Relu, Call("layers.ReLU")),
    (Relu6, Call("layers.ReLU", {}, {"max_value": 6})),
    (Sigmoid, Call("layers.Activation", {"activation": "sigmoid"})),
    (Tanh, Call("layers.Activation", {"activation": "tanh"})),
    (Silu, Call("layers.Activation", {"activation": "silu"})),
    (Softmax, Call("layers.Softmax")),
    (LogSoftmax, Call("layers.Activation", {"activation": "log_softmax"})),
):
    ROWS.row(_op)(constant(_layer))


@ROWS.row(LeakyRelu)
def leaky_relu(op: LeakyRelu, _x: Shape) -> Layer:
    """Keras's default slope is 0.3."""
    return single(Call("layers.LeakyReLU", {}, {"negative_slope": op.slope}))


@ROWS.row(Gelu)
def gelu(op: Gelu, _x: Shape) -> Layer:
    """Keras's activation is exact by default."""
    form: Expr = Code("gelu_tanh") if op.form == "tanh" else "gelu"
    return single(Call("layers.Activation", {"activation": form}))
