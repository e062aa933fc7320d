"""What attention within windows knows of where things stand: how ONNX realises it."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Constant, Operand, Site, integers, node, number
from netspec.ops.window_bias import WindowBias


@ROWS.row(WindowBias)
def window_bias(op: WindowBias, site: Site) -> Operand:
    """Rows of the table; where windows are shifted, places of different regions do not see each other."""
    height, width = op.size
    area = height * width
    rows = node("Gather", site.weights[0], Constant(tuple(op.index), (area, area)), axis=0)
    bias: Operand = node("Unsqueeze", node("Transpose", rows, perm=(2, 0, 1)), integers(0))
    sizes = op.infer(*site.shapes).sizes
    if any(op.shift):
        regions = tuple(op.regions(site.shapes[0]))
        queries, keys = (
            Constant(regions, (1, sizes[0], *each)) for each in ((1, area, 1), (1, 1, area))
        )
        hidden = node("Where", node("Equal", queries, keys), number(0), number(-100))
        bias = node("Add", bias, hidden)
    examples = node("Shape", *site.inputs, start=0, end=1)
    return node("Expand", bias, node("Concat", examples, integers(*sizes), axis=0))
