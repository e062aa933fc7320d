"""What attention knows of how far apart two steps are: how ONNX realises it."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Constant, Operand, Site, integers, node
from netspec.dim import Dim
from netspec.ops.relative_bias import RelativeBias


@ROWS.row(RelativeBias)
def relative_bias(op: RelativeBias, site: Site) -> Operand:
    """Rows of the table; ONNX Runtime computes what it can when it loads the model."""
    (x,), (weight,), count = site.inputs, site.weights, site.shapes[0].axis("t")
    zero, one = (Constant((value,), ()) for value in (0, 1))
    steps: Operand = integers(*range(count)) if not isinstance(count, Dim) else zero
    if isinstance(count, Dim):
        steps = node("Range", zero, node("Squeeze", node("Shape", x, start=1, end=2)), one)
    ways = node("Sub", node("Unsqueeze", steps, integers(0)), node("Unsqueeze", steps, integers(1)))
    ends = (Constant((end,), ()) for end in (-op.distance, op.distance))
    places = node("Add", node("Clip", ways, *ends), Constant((op.distance,), ()))
    rows = node("Gather", weight, node("Gather", integers(*op.table), places, axis=0), axis=0)
    bias = node("Unsqueeze", node("Transpose", rows, perm=(2, 0, 1)), integers(0))
    examples = node("Shape", x, start=0, end=1)
    whole = node("Concat", examples, integers(1, 1, 1), axis=0)
    return node("Expand", bias, whole)
