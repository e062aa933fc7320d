"""Convolutions: how ONNX realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    node,
)
from netspec.ops.conv import Conv, ConvTranspose


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
