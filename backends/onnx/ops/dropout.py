"""Dropout: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
)
from netspec.ops.dropout import Dropout


@ROWS.row(Dropout)
def passed_on(op: Dropout, site: Site) -> Operand:  # noqa: ARG001
    """Nothing at inference."""
    return site.inputs[0]
