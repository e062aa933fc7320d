"""Convolutions: how ONNX realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    integers,
    node,
    number,
    padded,
    reduced,
)
from netspec.ops.conv import Conv, ConvTranspose, StandardizedConv
from netspec.ops.fields import LARGEST
from netspec.shape import Shape, join_pads, split_pads


def _conv_limit(op: Conv | StandardizedConv, _x: Shape) -> str | None:
    if op.padding == "same" and max(op.dilation) > 1:
        return "ONNX Runtime has no `auto_pad` for a dilated window, and a size is known only at run time"
    return None


@ROWS.row(Conv, limit=_conv_limit)
def convolution(op: Conv, site: Site) -> Operand:
    """`Conv` has PyTorch's layouts and netspec's padding, but for values of the input in it."""
    return _correlation(op, site, site.weights[0])


@ROWS.row(StandardizedConv, limit=_conv_limit)
def standardized_convolution(op: StandardizedConv, site: Site) -> Operand:
    """From the weight itself, so that the file holds it; ONNX Runtime computes the other one once."""
    weight = site.weights[0]
    filters = tuple(range(1, 2 + len(op.kernel)))
    mean = reduced("ReduceMean", site, *filters, of=weight, keep=True)
    centred = node("Sub", weight, mean)
    square = node("Mul", centred, centred)
    variance = reduced("ReduceMean", site, *filters, of=square, keep=True)
    deviation = node("Sqrt", node("Add", variance, number(op.eps)))
    return _correlation(op, site, node("Div", centred, deviation))


def _correlation(op: Conv | StandardizedConv, site: Site, weight: Operand) -> Operand:
    (x,), attributes = site.inputs, _convolution_attributes(op)
    framed: Operand = x
    if op.mode != "zeros":
        assert isinstance(op.padding, tuple)
        framed = bordered(x, op.mode, op.padding)
        attributes["pads"] = (0,) * len(op.padding)
    return node("Conv", framed, weight, *site.weights[1:], **attributes)


def bordered(x: Operand, mode: str, pads: tuple[int, ...]) -> Operand:
    """Padded with values of its own; `Pad` goes round only from opset 19 on."""
    pairs = split_pads(pads)
    if mode != "circular":
        rim = join_pads([(0, 0), (0, 0), *pairs])
        return node(
            "Pad", x, integers(*rim), mode={"reflect": "reflect", "replicate": "edge"}[mode]
        )
    for axis, (before, after) in enumerate(pairs, start=2):
        ends = (integers(-before), integers(LARGEST)), (integers(0), integers(after))
        last, first = (node("Slice", x, start, end, integers(axis)) for start, end in ends)
        parts = [*([last] if before else []), x, *([first] if after else [])]
        x = node("Concat", *parts, axis=axis) if len(parts) > 1 else x
    return x


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


def _convolution_attributes(op: Conv | StandardizedConv | ConvTranspose) -> dict[str, Any]:
    return {
        "kernel_shape": op.kernel,
        "strides": op.stride,
        "dilations": op.dilation,
        **padded(op.padding),
        "group": op.groups,
    }
