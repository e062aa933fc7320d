"""Dense layers: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.linear import linear
from netspec.backends.onnx.rows import ROWS, Operand, Site, node
from netspec.ops.dense import Dense, Tied


@ROWS.row(Dense)
def dense(op: Dense, site: Site) -> Operand:
    """On all steps or places at once."""
    (x,), (weight, *bias) = site.inputs, site.weights
    return linear(x, site.shapes[0], op.units, weight, *bias)


@ROWS.row(Tied)
def tied(op: Tied, site: Site) -> Operand:
    """As `dense`, with the weight of another layer as it is or transposed."""
    (x,), (weight,) = site.inputs, site.weights
    outputs_first = op.rows == "outputs"
    if site.shapes[0].kind == "vector":
        return node("Gemm", x, weight, transB=int(outputs_first))
    return node("MatMul", x, node("Transpose", weight, perm=(1, 0)) if outputs_first else weight)
