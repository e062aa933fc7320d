"""Ops that make one tensor of several: how ONNX realises them."""

from __future__ import annotations

from functools import partial, reduce

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    axis_of,
    integers,
    node,
    same_op,
)
from netspec.ops.base import Op
from netspec.ops.merge import (
    Add,
    Concat,
    Divide,
    MatMul,
    Maximum,
    Mean,
    Minimum,
    Multiply,
    Stack,
    Subtract,
    whole_of,
)

for _op, _op_type in ((Maximum, "Max"), (Minimum, "Min"), (Mean, "Mean")):
    ROWS.row(_op)(partial(same_op, _op_type))


@ROWS.row(Concat)
def concat(op: Concat, site: Site) -> Operand:
    """Along the named axis."""
    return node("Concat", *site.inputs, axis=axis_of(site.shapes[0], op.axis))


def _with_gates(op_type: str, op: Op, site: Site) -> Operand:  # noqa: ARG001
    """From the left, as the spec reads; a gate gets the axes that it lacks."""
    whole = whole_of(site.shapes)
    operands: list[Operand] = []
    for x, shape in zip(site.inputs, site.shapes, strict=True):
        new = [axis_of(whole, letter) for letter in whole.axes if letter not in shape.axes]
        operands.append(node("Unsqueeze", x, integers(*new)) if new else x)
    return reduce(partial(node, op_type), operands)


# Two at a time: ONNX Runtime merges `Add` into a convolution, but not `Sum`.
for _kind, _op_type in ((Add, "Add"), (Subtract, "Sub"), (Multiply, "Mul"), (Divide, "Div")):
    ROWS.row(_kind)(partial(_with_gates, _op_type))


@ROWS.row(MatMul)
def matmul(op: MatMul, site: Site) -> Operand:
    """Over the last two axes."""
    first, second = site.inputs
    if op.transpose:
        rank = 1 + len(site.shapes[1].axes)
        second = node("Transpose", second, perm=(*range(rank - 2), rank - 1, rank - 2))
    return node("MatMul", first, second)


@ROWS.row(Stack)
def stack(op: Stack, site: Site) -> Operand:
    """Each with the new axis, then side by side along it."""
    axis = axis_of(op.infer(*site.shapes), op.axis)
    return node("Concat", *(node("Unsqueeze", x, integers(axis)) for x in site.inputs), axis=axis)
