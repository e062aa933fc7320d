"""Positions as turns of pairs of features: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rotation import pieces, tables, turned
from netspec.backends.onnx.rows import ROWS, Operand, Site, integers, node
from netspec.ops.rotary import Rotary


@ROWS.row(Rotary)
def rotary(op: Rotary, site: Site) -> Operand:
    """Heads are an axis of their own meanwhile; of a table that is longer the first rows are read."""
    (x,), (shape,) = site.inputs, site.shapes
    head, half = shape.axis("c") // op.heads, op.turned // 2
    found = tables(op.angles, 1)
    if shape.axis("t") != op.length:
        end = node("Shape", x, start=1, end=2)
        found = [node("Slice", table, integers(0), end, integers(0)) for table in found]
    rest = [head - 2 * half] if head > 2 * half else []
    apart = node("Reshape", x, integers(0, 0, op.heads, head))
    low, high, *kept = pieces(apart, (half, half, *rest), -1)
    joined = node("Concat", *turned((low, high), *found), *kept, axis=-1)
    return node("Reshape", joined, integers(0, 0, shape.axis("c")))
