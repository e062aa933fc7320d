"""Axes in another order: how ONNX realises it."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Operand, Site, axis_of, node
from netspec.ops.permute import Permute


@ROWS.row(Permute)
def permute(op: Permute, site: Site) -> Operand:
    """`Transpose`, which counts the batch."""
    order = (0, *(axis_of(site.shapes[0], letter) for letter in op.axes))
    return node("Transpose", *site.inputs, perm=order)
