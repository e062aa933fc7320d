"""Affine maps of the last axis as ONNX has them. Knows no op."""

from __future__ import annotations

from netspec.backends.onnx.rows import Apply, Operand, integers, node
from netspec.dim import Dim
from netspec.shape import Shape


def linear(
    x: Operand, shape: Shape, units: int, weight: Operand, bias: Operand | None = None
) -> Operand:
    """`x W^T + b` over the features of a tensor of that shape, `units` of them after it.

    `Gemm` takes matrices only, so the axes before the features are made one and taken apart again: in
    ONNX Runtime that costs nothing, where `MatMul` and `Add` are two passes. `MatMul` remains where
    sizes are known only at run time.
    """
    biases = () if bias is None else (bias,)
    if len(shape.sizes) == 1:
        return node("Gemm", x, weight, *biases, transB=1)
    if any(isinstance(size, Dim) for size in shape.sizes):
        product = node("MatMul", x, node("Transpose", weight, perm=(1, 0)))
        return node("Add", product, *biases) if biases else product
    rows = reshaped(x, -1, shape.sizes[-1])
    mapped = node("Gemm", rows, weight, *biases, transB=1)
    return reshaped(mapped, -1, *shape.sizes[:-1], units)


def reshaped(x: Operand, *sizes: int) -> Operand:
    """A tensor in other sizes; of two such steps in a row the first is left out."""
    if isinstance(x, Apply) and x.op_type == "Reshape" and 0 not in sizes:
        x = x.operands[0]
    return node("Reshape", x, integers(*sizes))
