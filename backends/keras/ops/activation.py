"""Functions of each element, and softmax: how Keras realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.keras.initial import initial
from netspec.backends.keras.layer import Held, Layer, expression, single
from netspec.backends.keras.rows import (
    ROWS,
    Row,
    constant,
    held_axes,
    held_axis,
)
from netspec.emit.source import Call, Code, Expr, Infix, arg, call
from netspec.ops.activation.lines import Hardshrink, HardSigmoid, HardTanh, Softshrink, Threshold
from netspec.ops.activation.rectifiers import LeakyRelu, Prelu, Relu, Relu6
from netspec.ops.activation.sigmoids import Sigmoid, Tanh
from netspec.ops.activation.smooth import (
    Celu,
    Elu,
    Gelu,
    HardSwish,
    LogSigmoid,
    Mish,
    QuickGelu,
    ReluSquared,
    Selu,
    Silu,
    Softplus,
    Softsign,
    Squareplus,
    Tanhshrink,
)
from netspec.ops.activation.softmax import LogSoftmax, Softmax
from netspec.shape import Shape

_X = arg(0)

ROWS.row(Relu)(constant(Call("layers.ReLU")))
ROWS.row(Relu6)(constant(Call("layers.ReLU", {}, {"max_value": 6})))

for _op, _name in (
    (Sigmoid, "sigmoid"),
    (Tanh, "tanh"),
    (Silu, "silu"),
    (Selu, "selu"),
    (Mish, "mish"),
    (HardSwish, "hard_swish"),
    (HardSigmoid, "hard_sigmoid"),
    (HardTanh, "hard_tanh"),
    (Softsign, "softsign"),
    (LogSigmoid, "log_sigmoid"),
    (Tanhshrink, "tanh_shrink"),
):
    ROWS.row(_op)(constant(Call("layers.Activation", {"activation": _name})))


def _parametric(func: str, name: str, default: float) -> Row:
    """The row of a function with one number, which Keras calls as we do."""

    def row(op: Any, _x: Shape) -> Layer:
        return expression(Call(func, {"x": _X}, {name: getattr(op, name)}, {name: default}))

    return row


for _parametric_op, _func, _name, _default in (
    (Celu, "ops.celu", "alpha", 1.0),
    (Softshrink, "ops.soft_shrink", "threshold", 0.5),
    (Hardshrink, "ops.hard_shrink", "threshold", 0.5),
    (Squareplus, "ops.squareplus", "b", 4.0),
):
    ROWS.row(_parametric_op)(_parametric(_func, _name, _default))


@ROWS.row(LeakyRelu)
def leaky_relu(op: LeakyRelu, _x: Shape) -> Layer:
    """Keras's default slope is 0.3; its layer takes none below 0."""
    if op.slope < 0:
        return expression(call("ops.leaky_relu", _X, negative_slope=op.slope))
    return single(Call("layers.LeakyReLU", {}, {"negative_slope": op.slope}))


@ROWS.row(Elu)
def elu(op: Elu, _x: Shape) -> Layer:
    """The same default as the spec's."""
    return single(Call("layers.ELU", {}, {"alpha": op.alpha}, {"alpha": 1.0}))


@ROWS.row(Gelu)
def gelu(op: Gelu, _x: Shape) -> Layer:
    """Keras's activation is exact by default."""
    form: Expr = Code("gelu_tanh") if op.form == "tanh" else "gelu"
    return single(Call("layers.Activation", {"activation": form}))


@ROWS.row(QuickGelu)
def quick_gelu(_op: QuickGelu, _x: Shape) -> Layer:
    """By its definition."""
    return expression(Infix("*", (_X, call("ops.sigmoid", Infix("*", (1.702, _X))))))


@ROWS.row(ReluSquared)
def relu_squared(_op: ReluSquared, _x: Shape) -> Layer:
    """By its definition."""
    return expression(call("ops.square", call("ops.relu", _X)))


@ROWS.row(Softplus)
def softplus(op: Softplus, _x: Shape) -> Layer:
    """Keras has the one with beta 1."""
    if op.beta == 1:
        return single(Call("layers.Activation", {"activation": "softplus"}))
    sharp = call("ops.softplus", Infix("*", (op.beta, _X)))
    return expression(Infix("/", (sharp, op.beta)))


@ROWS.row(Threshold)
def threshold(op: Threshold, _x: Shape) -> Layer:
    """The same two numbers."""
    return expression(call("ops.threshold", _X, op.threshold, op.value))


@ROWS.row(Prelu)
def prelu(op: Prelu, x: Shape) -> Layer:
    """Keras has a slope for each element but along the axes that share one."""
    others = [i for i, letter in enumerate(held_axes(x.axes), 1) if op.shared or letter != "c"]
    channels = 1 if op.shared else x.axis("c")
    (weight,) = op.weights(x)
    shape = tuple(1 if i in others else channels for i in range(1, 1 + len(x.axes)))
    slope = Held("alpha", shape, tuple(range(len(shape))))
    keywords: dict[str, Expr] = {
        "alpha_initializer": initial(weight.init),
        "shared_axes": Code(repr(others)) if others else None,
    }
    made = Call("layers.PReLU", {}, keywords, {"shared_axes": None})
    return single(made, held={"weight": (slope,)})


@ROWS.row(Softmax)
def softmax(op: Softmax, x: Shape) -> Layer:
    """Where Keras holds the axis. The softmax of TensorFlow takes five axes at most, its logarithm any number."""
    if 1 + len(x.axes) > 5:
        return expression(call("ops.exp", call("ops.log_softmax", _X, axis=held_axis(x, op.axis))))
    return single(Call("layers.Softmax", {}, {"axis": held_axis(x, op.axis)}, {"axis": -1}))


@ROWS.row(LogSoftmax)
def log_softmax(op: LogSoftmax, x: Shape) -> Layer:
    """Keras's layer is for the last axis."""
    axis = held_axis(x, op.axis)
    if axis == -1:
        return single(Call("layers.Activation", {"activation": "log_softmax"}))
    return expression(call("ops.log_softmax", _X, axis=axis))
