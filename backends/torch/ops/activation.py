"""Functions of each element, and softmax: how PyTorch realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.torch.layer import Layer, X
from netspec.backends.torch.rows import ROWS, Row, applied_to
from netspec.emit.source import Call, Expr, Infix, call
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


def _activation(func: str, in_place: bool) -> Row:
    def row(_op: Any, _x: Shape) -> Layer:
        return Layer(Call(func), shared=True, in_place=in_place)

    return row


# Of those that PyTorch has in place too, some are faster so: at inference by a tenth to a half, in training no slower.
for _op, _func, _in_place in (
    (Relu, "nn.ReLU", True),
    (Relu6, "nn.ReLU6", True),
    (Sigmoid, "nn.Sigmoid", False),
    (Tanh, "nn.Tanh", False),
    (Silu, "nn.SiLU", True),
    (Selu, "nn.SELU", False),
    (Mish, "nn.Mish", False),
    (HardSwish, "nn.Hardswish", True),
    (HardSigmoid, "nn.Hardsigmoid", True),
    (HardTanh, "nn.Hardtanh", True),
    (Softsign, "nn.Softsign", False),
    (LogSigmoid, "nn.LogSigmoid", False),
    (Tanhshrink, "nn.Tanhshrink", False),
):
    ROWS.row(_op)(_activation(_func, _in_place))


def _parametric(func: str, theirs: str, ours: str, default: float) -> Row:
    """The row of an activation with one number. In place two of them must keep signs, for their backward pass."""

    def row(op: Any, _x: Shape) -> Layer:
        number = getattr(op, ours)
        in_place = isinstance(op, LeakyRelu | Elu) and number >= 0
        return Layer(
            Call(func, {}, {theirs: number}, {theirs: default}), shared=True, in_place=in_place
        )

    return row


for _parametric_op, _func, _theirs, _ours, _default in (
    (LeakyRelu, "nn.LeakyReLU", "negative_slope", "slope", 0.01),
    (Elu, "nn.ELU", "alpha", "alpha", 1.0),
    (Celu, "nn.CELU", "alpha", "alpha", 1.0),
    (Softplus, "nn.Softplus", "beta", "beta", 1.0),
    (Softshrink, "nn.Softshrink", "lambd", "threshold", 0.5),
    (Hardshrink, "nn.Hardshrink", "lambd", "threshold", 0.5),
):
    ROWS.row(_parametric_op)(_parametric(_func, _theirs, _ours, _default))


@ROWS.row(Threshold)
def threshold(op: Threshold, _x: Shape) -> Layer:
    """The same two numbers."""
    return Layer(Call("nn.Threshold", {"threshold": op.threshold, "value": op.value}), shared=True)


@ROWS.row(Gelu)
def gelu(op: Gelu, _x: Shape) -> Layer:
    """Exact by default in both."""
    approximate = "tanh" if op.form == "tanh" else "none"
    return Layer(
        Call("nn.GELU", {}, {"approximate": approximate}, {"approximate": "none"}), shared=True
    )


@ROWS.row(QuickGelu)
def quick_gelu(_op: QuickGelu, _x: Shape) -> Layer:
    """By its definition."""
    gate = call("torch.sigmoid", Infix("*", (1.702, X)))
    return Layer(forward=Infix("*", (X, gate)), heavy=True)


@ROWS.row(ReluSquared)
def relu_squared(_op: ReluSquared, _x: Shape) -> Layer:
    """By its definition."""
    return Layer(forward=call("square", on=call("F.relu", X)))


@ROWS.row(Squareplus)
def squareplus(op: Squareplus, _x: Shape) -> Layer:
    """By its definition."""
    root = call("torch.sqrt", Infix("+", (call("square", on=X), op.b)))
    return Layer(forward=Infix("/", (Infix("+", (X, root)), 2)), heavy=True)


@ROWS.row(Prelu)
def prelu(op: Prelu, x: Shape) -> Layer:
    """PyTorch's channels stand behind the batch."""
    channels, place = x.axis("c"), 1 + x.axes.index("c")
    positional: dict[str, Expr] = {} if op.shared else {"num_parameters": channels}
    (weight,) = op.weights(x)
    starts = weight.init.rule == "constant"
    keywords: dict[str, Expr] = {"init": weight.init.value} if starts else {}
    module = Call("nn.PReLU", positional, keywords, {"init": 0.25})
    if op.shared or place == 1:
        return Layer(module, starts=starts)
    moved = call("movedim", place, 1, on=X)
    return Layer(module, call("movedim", 1, place, on=applied_to(moved)), starts=starts)


@ROWS.row(Softmax)
def softmax(op: Softmax, x: Shape) -> Layer:
    """Axes count from the batch."""
    return Layer(Call("nn.Softmax", {}, {"dim": 1 + x.axes.index(op.axis)}), shared=True)


@ROWS.row(LogSoftmax)
def log_softmax(op: LogSoftmax, x: Shape) -> Layer:
    """Axes count from the batch."""
    return Layer(Call("nn.LogSoftmax", {}, {"dim": 1 + x.axes.index(op.axis)}), shared=True)
