"""Where data enters: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
)
from netspec.ops.input import Input


@ROWS.row(Input)
def given(op: Input, site: Site) -> Operand:  # noqa: ARG001
    """The graph's own input."""
    return site.inputs[0]
