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
    same_op,
)
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
from netspec.ops.merge import Maximum, Mean

for _op, _op_type in {
    Maximum: "Max",
    Mean: "Mean",
    Relu: "Relu",
    Sigmoid: "Sigmoid",
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
    """`Gelu` from opset 20; before it the two formulas, in the form that ONNX Runtime fuses."""
    (x,) = site.inputs
    if site.opset >= 20:
        return node("Gelu", x, approximate="none" if op.form == "exact" else "tanh")
    if op.form == "exact":
        inner = node("Erf", node("Div", x, number(sqrt(2))))
    else:
        cubic = node("Mul", node("Mul", node("Mul", x, x), x), number(0.044715))
        inner = node("Tanh", node("Mul", node("Add", x, cubic), number(sqrt(2 / pi))))
    return node("Mul", node("Mul", x, node("Add", inner, number(1))), number(0.5))


@ROWS.row(Softmax)
def softmax(op: Softmax, site: Site) -> Operand:  # noqa: ARG001
    """Over the features."""
    return node("Softmax", *site.inputs, axis=axis_of(site.shapes[0], "c"))


@ROWS.row(LogSoftmax)
def log_softmax(op: LogSoftmax, site: Site) -> Operand:  # noqa: ARG001
    """Over the features."""
    return node("LogSoftmax", *site.inputs, axis=axis_of(site.shapes[0], "c"))
