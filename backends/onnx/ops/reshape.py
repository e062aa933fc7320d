"""Ops that only rearrange: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    node,
)
from netspec.ops.reshape import Flatten


@ROWS.row(Flatten)
def flatten(op: Flatten, site: Site) -> Operand:  # noqa: ARG001
    """All axes behind the batch."""
    return node("Flatten", *site.inputs, axis=1)
