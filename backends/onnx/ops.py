"""One row per op: the ONNX nodes that realise it, as plain data. Knows nothing of protobuf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from math import pi, sqrt
from typing import Any, NamedTuple

from netspec.backend import Rows
from netspec.ops import (
    Add,
    AveragePool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Gelu,
    GlobalAveragePool,
    Input,
    LeakyRelu,
    LogSoftmax,
    Maximum,
    MaxPool,
    Mean,
    Multiply,
    Op,
    Relu,
    Relu6,
    Sigmoid,
    Silu,
    Softmax,
    Subtract,
    Tanh,
)
from netspec.ops.pool import ceil_surplus
from netspec.shape import Shape, join_pads, split_pads


class Constant(NamedTuple):
    """A small tensor of the lowering's own; int64, or the model's float type where it is float."""

    values: tuple[float, ...] | tuple[int, ...]
    shape: tuple[int, ...]


class Apply(NamedTuple):
    """One ONNX node. Its operands are values and weights by name, constants, or further nodes."""

    op_type: str
    operands: tuple[Operand, ...]
    attributes: Mapping[str, Attribute]


Attribute = int | float | str | tuple[int, ...]
Operand = str | Constant | Apply


class Site(NamedTuple):
    """Where a row is applied: the values read, their shapes, its weights, the opset."""

    inputs: tuple[str, ...]
    shapes: tuple[Shape, ...]
    weights: tuple[str, ...]
    opset: int


Row = Callable[[Any, Site], Operand]
"""Gives the tree whose root computes the op, or a name where the op only passes a value on."""

ROWS: Rows[Row] = Rows("onnx")


def node(op_type: str, *operands: Operand, **attributes: Any) -> Apply:
    """The application of an ONNX op."""
    return Apply(op_type, operands, attributes)


def number(value: float) -> Constant:
    """A scalar of the model's float type."""
    return Constant((float(value),), ())


def integers(*values: int) -> Constant:
    """A vector of int64, as ONNX takes axes and sizes."""
    return Constant(values, (len(values),))


@ROWS.row(Input)
def given(op: Input, site: Site) -> Operand:  # noqa: ARG001
    """The graph's own input."""
    return site.inputs[0]


@ROWS.row(Dropout)
def passed_on(op: Dropout, site: Site) -> Operand:  # noqa: ARG001
    """Nothing at inference."""
    return site.inputs[0]


def _same(op_type: str, op: Op, site: Site) -> Operand:  # noqa: ARG001
    return node(op_type, *site.inputs)


for _op, _op_type in {
    Maximum: "Max",
    Mean: "Mean",
    Relu: "Relu",
    Sigmoid: "Sigmoid",
    Tanh: "Tanh",
}.items():
    ROWS.row(_op)(partial(_same, _op_type))


@ROWS.row(Conv)
def convolution(op: Conv, site: Site) -> Operand:
    """`Conv` has PyTorch's layouts and netspec's padding."""
    return node("Conv", *site.inputs, *site.weights, **_convolution_attributes(op))


@ROWS.row(ConvTranspose)
def transposed_convolution(op: ConvTranspose, site: Site) -> Operand:
    """`ConvTranspose`, likewise."""
    extra = op.output_padding
    return node(
        "ConvTranspose",
        *site.inputs,
        *site.weights,
        **_convolution_attributes(op),
        output_padding=extra,
    )


def _convolution_attributes(op: Conv | ConvTranspose) -> dict[str, Any]:
    return {
        "kernel_shape": op.kernel,
        "strides": op.stride,
        "dilations": op.dilation,
        "pads": op.padding,
        "group": op.groups,
    }


@ROWS.row(Dense)
def dense(op: Dense, site: Site) -> Operand:
    """`Gemm` for a vector; it takes no sequence, where `MatMul` works on each step."""
    (x,), (weight, *bias) = site.inputs, site.weights
    if site.shapes[0].kind == "vector":
        return node("Gemm", x, weight, *bias, transB=1)
    product = node("MatMul", x, node("Transpose", weight, perm=(1, 0)))
    return node("Add", product, *bias) if op.bias else product


@ROWS.row(BatchNorm)
def batch_norm(op: BatchNorm, site: Site) -> Operand:
    """`BatchNormalization` in its inference form, whose operands stand in PyTorch's order."""
    channels = site.shapes[0].axis("c")
    ones, zeros = (Constant((value,) * channels, (channels,)) for value in (1.0, 0.0))
    affine = () if op.affine else (ones, zeros)
    return node("BatchNormalization", *site.inputs, *affine, *site.weights, epsilon=op.eps)


@ROWS.row(MaxPool)
def max_pool(op: MaxPool, site: Site) -> Operand:
    """`MaxPool`; padding counts as minus infinity."""
    return node(
        "MaxPool", *site.inputs, **_window(op, _with_surplus(op, op.padding, site.shapes[0]))
    )


@ROWS.row(AveragePool)
def average_pool(op: AveragePool, site: Site) -> Operand:
    """`AveragePool`; padding may count, but the surplus of `ceil` never does."""
    (x,), (shape,) = site.inputs, site.shapes
    assert isinstance(op.padding, tuple)
    none = (0,) * len(op.padding)
    surplus = _with_surplus(op, none, shape)
    if not op.count_padding:
        pads = _with_surplus(op, op.padding, shape)
        return node("AveragePool", x, **_window(op, pads), count_include_pad=0)
    if surplus == none:
        return node("AveragePool", x, **_window(op, op.padding), count_include_pad=1)
    rim = [(0, 0), (0, 0), *split_pads(op.padding)]
    padded = node("Pad", x, integers(*join_pads(rim))) if any(op.padding) else x
    return node("AveragePool", padded, **_window(op, surplus), count_include_pad=0)


def _with_surplus(
    op: MaxPool | AveragePool, pads: tuple[int, ...] | str, x: Shape
) -> tuple[int, ...]:
    """`pads` with what `ceil` adds behind them: `ceil_mode` counts otherwise below opset 22."""
    assert isinstance(pads, tuple)
    assert isinstance(op.padding, tuple)
    assert op.stride is not None
    if not op.ceil:
        return pads
    own = split_pads(op.padding)
    surplus = map(ceil_surplus, x.spatial, op.kernel, op.stride, own)
    return join_pads(
        [
            (before, after + more)
            for (before, after), more in zip(split_pads(pads), surplus, strict=True)
        ]
    )


def _window(op: MaxPool | AveragePool, pads: tuple[int, ...] | str) -> dict[str, Any]:
    return {"kernel_shape": op.kernel, "strides": op.stride, "pads": pads}


@ROWS.row(GlobalAveragePool)
def global_average_pool(op: GlobalAveragePool, site: Site) -> Operand:  # noqa: ARG001
    """Not `ReduceMean`, before which ONNX Runtime leaves its blocked layout."""
    return node("Flatten", node("GlobalAveragePool", *site.inputs), axis=1)


@ROWS.row(Flatten)
def flatten(op: Flatten, site: Site) -> Operand:  # noqa: ARG001
    """All axes behind the batch."""
    return node("Flatten", *site.inputs, axis=1)


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
    return node("Softmax", *site.inputs, axis=_axis(site.shapes[0], "c"))


@ROWS.row(LogSoftmax)
def log_softmax(op: LogSoftmax, site: Site) -> Operand:  # noqa: ARG001
    """Over the features."""
    return node("LogSoftmax", *site.inputs, axis=_axis(site.shapes[0], "c"))


def _axis(shape: Shape, name: str) -> int:
    """The place of a named axis, the batch counted."""
    return shape.axes.index(name) + 1


@ROWS.row(Concat)
def concat(op: Concat, site: Site) -> Operand:
    """Along the named axis."""
    return node("Concat", *site.inputs, axis=_axis(site.shapes[0], op.axis))


def _pairwise(op_type: str, operands: tuple[Operand, ...]) -> Operand:
    """From the left, as the spec reads."""
    return reduce(partial(node, op_type), operands)


@ROWS.row(Add)
def add(op: Add, site: Site) -> Operand:  # noqa: ARG001
    """Two at a time: ONNX Runtime merges `Add` into a convolution, but not `Sum`."""
    return _pairwise("Add", site.inputs)


@ROWS.row(Subtract)
def subtract(op: Subtract, site: Site) -> Operand:  # noqa: ARG001
    """The first less each of the others."""
    return _pairwise("Sub", site.inputs)


@ROWS.row(Multiply)
def multiply(op: Multiply, site: Site) -> Operand:  # noqa: ARG001
    """A vector among images or volumes gets an axis for each of theirs."""
    whole = max(site.shapes, key=lambda shape: len(shape.sizes))
    axes = range(2, len(whole.sizes) + 1)
    operands: list[Operand] = [
        node("Unsqueeze", x, integers(*axes)) if shape != whole else x
        for x, shape in zip(site.inputs, site.shapes, strict=True)
    ]
    return _pairwise("Mul", tuple(operands))
