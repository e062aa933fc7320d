"""Dropout: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
)
from netspec.ops import Op
from netspec.ops.dropout import AlphaDropout, Dropout, DropPath, SpatialDropout


@ROWS.row(Dropout, SpatialDropout, AlphaDropout, DropPath)
def passed_on(op: Op, site: Site) -> Operand:  # noqa: ARG001
    """Nothing at inference."""
    return site.inputs[0]
