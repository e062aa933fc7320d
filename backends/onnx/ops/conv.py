"""Convolutions: how ONNX realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    node,
    padded,
)
from netspec.ops.conv import Conv, ConvTranspose
from netspec.shape import Shape


def _conv_limit(op: Conv, _x: Shape) -> str | None:
    if op.padding == "same" and max(op.dilation) > 1:
        return "ONNX Runtime has no `auto_pad` for a dilated window, and a size is known only at run time"
    return None


@ROWS.row(Conv, limit=_conv_limit)
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
        **padded(op.padding),
        "group": op.groups,
    }
