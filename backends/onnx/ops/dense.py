"""Dense layers: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Operand, Site, node, takes_flat
from netspec.ops.dense import Dense, Tied


@ROWS.row(Dense)
@takes_flat(Dense)
def dense(op: Dense, site: Site) -> Operand:  # noqa: ARG001
    """`Gemm`, which takes matrices only: all steps or places are rows of one."""
    return node("Gemm", *site.inputs, *site.weights, transB=1)


@ROWS.row(Tied)
@takes_flat(Tied)
def tied(op: Tied, site: Site) -> Operand:
    """As `dense`, with the weight of another layer as it is or transposed."""
    return node("Gemm", *site.inputs, *site.weights, transB=int(op.rows == "outputs"))
