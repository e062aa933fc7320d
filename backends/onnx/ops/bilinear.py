"""Products of two tensors through learned weights: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Operand, Site, integers, node
from netspec.ops.bilinear import Bilinear


@ROWS.row(Bilinear)
def bilinear(op: Bilinear, site: Site) -> Operand:
    """At each place the weight times the second branch is a matrix, and that times the first the result."""
    ((x, y), (weight, *bias)) = site.inputs, site.weights
    first, second = (shape.axis("c") for shape in site.shapes)
    rows = node("Reshape", weight, integers(op.units * first, second))
    places = node("Reshape", y, integers(-1, second))
    matrices = node("Reshape", node("Gemm", places, rows, transB=1), integers(-1, op.units, first))
    columns = node("Reshape", x, integers(-1, first, 1))
    value = node("MatMul", matrices, columns)
    value = node("Reshape", value, integers(-1, *op.infer(*site.shapes).sizes))
    return node("Add", value, *bias) if op.bias else value
