"""Normalisations: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import (
    ROWS,
    Constant,
    Operand,
    Site,
    node,
)
from netspec.ops.norm import BatchNorm


@ROWS.row(BatchNorm)
def batch_norm(op: BatchNorm, site: Site) -> Operand:
    """`BatchNormalization` in its inference form, whose operands stand in PyTorch's order."""
    channels = site.shapes[0].axis("c")
    ones, zeros = (Constant((value,) * channels, (channels,)) for value in (1.0, 0.0))
    affine = () if op.affine else (ones, zeros)
    return node("BatchNormalization", *site.inputs, *affine, *site.weights, epsilon=op.eps)
