"""Functions of each element, and softmax: how ONNX realises them."""

from __future__ import annotations

from functools import partial
from math import pi, sqrt

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    axis_of,
    node,
    number,
    per_channel,
    same_op,
)
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

for _op, _op_type in {
    Relu: "Relu",
    HardSwish: "HardSwish",
    Selu: "Selu",
    Sigmoid: "Sigmoid",
    Softsign: "Softsign",
    Tanh: "Tanh",
}.items():
    ROWS.row(_op)(partial(same_op, _op_type))


@ROWS.row(Relu6)
def relu6(op: Relu6, site: Site) -> Operand:  # noqa: ARG001
    """A `Clip`."""
    return node("Clip", *site.inputs, number(0), number(6))


@ROWS.row(LeakyRelu)
def leaky_relu(op: LeakyRelu, site: Site) -> Operand:
    """`LeakyRelu`, whose own default is not PyTorch's."""
    return node("LeakyRelu", *site.inputs, alpha=op.slope)


@ROWS.row(Silu)
def silu(op: Silu, site: Site) -> Operand:  # noqa: ARG001
    """By its definition: `Swish` exists from opset 24 alone."""
    (x,) = site.inputs
    return node("Mul", x, node("Sigmoid", x))


@ROWS.row(Gelu)
def gelu(op: Gelu, site: Site) -> Operand:
    """In either form."""
    return gelu_of(site.inputs[0], op.form, site.opset)


def gelu_of(x: Operand, form: str, opset: int) -> Operand:
    """`Gelu` from opset 20; before it the two formulas, in the form that ONNX Runtime fuses."""
    if opset >= 20:
        return node("Gelu", x, approximate="none" if form == "exact" else "tanh")
    if form == "exact":
        inner = node("Erf", node("Div", x, number(sqrt(2))))
    else:
        cubic = node("Mul", node("Mul", node("Mul", x, x), x), number(0.044715))
        inner = node("Tanh", node("Mul", node("Add", x, cubic), number(sqrt(2 / pi))))
    return node("Mul", node("Mul", x, node("Add", inner, number(1))), number(0.5))


@ROWS.row(QuickGelu)
def quick_gelu(op: QuickGelu, site: Site) -> Operand:  # noqa: ARG001
    """By its definition."""
    (x,) = site.inputs
    return node("Mul", x, node("Sigmoid", node("Mul", x, number(1.702))))


@ROWS.row(ReluSquared)
def relu_squared(op: ReluSquared, site: Site) -> Operand:  # noqa: ARG001
    """By its definition."""
    return node("Pow", node("Relu", *site.inputs), number(2))


@ROWS.row(Elu)
def elu(op: Elu, site: Site) -> Operand:
    """`Elu`, with the spec's alpha."""
    return node("Elu", *site.inputs, alpha=op.alpha)


@ROWS.row(Celu)
def celu(op: Celu, site: Site) -> Operand:
    """From `Elu`: `Celu` takes no float64."""
    (x,) = site.inputs
    if op.alpha == 1:
        return node("Elu", x, alpha=1.0)
    alpha = number(op.alpha)
    return node("Mul", node("Elu", node("Div", x, alpha), alpha=1.0), alpha)


@ROWS.row(Mish)
def mish(op: Mish, site: Site) -> Operand:  # noqa: ARG001
    """`Mish` from opset 18; its definition before."""
    (x,) = site.inputs
    if site.opset >= 18:
        return node("Mish", x)
    return node("Mul", x, node("Tanh", node("Softplus", x)))


@ROWS.row(HardSigmoid)
def hard_sigmoid(op: HardSigmoid, site: Site) -> Operand:  # noqa: ARG001
    """`HardSigmoid`, whose own default slope is 1/5."""
    return node("HardSigmoid", *site.inputs, alpha=1 / 6, beta=0.5)


@ROWS.row(HardTanh)
def hard_tanh(op: HardTanh, site: Site) -> Operand:  # noqa: ARG001
    """A `Clip`."""
    return node("Clip", *site.inputs, number(-1), number(1))


@ROWS.row(Softplus)
def softplus(op: Softplus, site: Site) -> Operand:
    """`Softplus`, scaled where it is sharper."""
    (x,) = site.inputs
    if op.beta == 1:
        return node("Softplus", x)
    beta = number(op.beta)
    return node("Div", node("Softplus", node("Mul", x, beta)), beta)


@ROWS.row(LogSigmoid)
def log_sigmoid(op: LogSigmoid, site: Site) -> Operand:  # noqa: ARG001
    """Not `Log` of `Sigmoid`, which is minus infinity from -100 on."""
    return node("Neg", node("Softplus", node("Neg", *site.inputs)))


@ROWS.row(Softshrink)
def soft_shrink(op: Softshrink, site: Site) -> Operand:
    """`Shrink` with both its constants."""
    return node("Shrink", *site.inputs, lambd=op.threshold, bias=op.threshold)


@ROWS.row(Hardshrink)
def hard_shrink(op: Hardshrink, site: Site) -> Operand:
    """`Shrink` that moves nothing."""
    return node("Shrink", *site.inputs, lambd=op.threshold, bias=0.0)


@ROWS.row(Tanhshrink)
def tanh_shrink(op: Tanhshrink, site: Site) -> Operand:  # noqa: ARG001
    """By its definition."""
    (x,) = site.inputs
    return node("Sub", x, node("Tanh", x))


@ROWS.row(Threshold)
def threshold(op: Threshold, site: Site) -> Operand:
    """`ThresholdedRelu` where the others become 0."""
    (x,) = site.inputs
    if op.value == 0:
        return node("ThresholdedRelu", x, alpha=op.threshold)
    return node("Where", node("Greater", x, number(op.threshold)), x, number(op.value))


@ROWS.row(Squareplus)
def squareplus(op: Squareplus, site: Site) -> Operand:
    """By its definition."""
    (x,) = site.inputs
    root = node("Sqrt", node("Add", node("Mul", x, x), number(op.b)))
    return node("Mul", node("Add", x, root), number(0.5))


@ROWS.row(Prelu)
def prelu(op: Prelu, site: Site) -> Operand:
    """`PRelu`, whose slopes need the axes behind the channels."""
    (x,), (shape,), (slope,) = site.inputs, site.shapes, site.weights
    return node("PRelu", x, slope if op.shared else per_channel(slope, shape))


@ROWS.row(Softmax)
def softmax(op: Softmax, site: Site) -> Operand:
    """Over one axis."""
    return node("Softmax", *site.inputs, axis=axis_of(site.shapes[0], op.axis))


@ROWS.row(LogSoftmax)
def log_softmax(op: LogSoftmax, site: Site) -> Operand:
    """Over one axis."""
    return node("LogSoftmax", *site.inputs, axis=axis_of(site.shapes[0], op.axis))
