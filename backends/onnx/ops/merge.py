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
)
from netspec.ops.merge import Add, Concat, Multiply, Stack, Subtract


@ROWS.row(Concat)
def concat(op: Concat, site: Site) -> Operand:
    """Along the named axis."""
    return node("Concat", *site.inputs, axis=axis_of(site.shapes[0], op.axis))


def _pairwise(op_type: str, operands: tuple[Operand, ...]) -> Operand:
    """From the left, as the spec reads."""
    return reduce(partial(node, op_type), operands)


@ROWS.row(Add)
def add(op: Add, site: Site) -> Operand:  # noqa: ARG001
    """Two at a time: ONNX Runtime merges `Add` into a convolution, but not `Sum`."""
    return _pairwise("Add", site.inputs)


@ROWS.row(Subtract)
def subtract(op: Subtract, site: Site) -> Operand:  # noqa: ARG001
    """The first less each of the others."""
    return _pairwise("Sub", site.inputs)


@ROWS.row(Multiply)
def multiply(op: Multiply, site: Site) -> Operand:  # noqa: ARG001
    """A vector among sequences, images or volumes gets an axis for each of theirs."""
    whole = max(site.shapes, key=lambda shape: len(shape.sizes))
    axes = [axis_of(whole, letter) for letter in whole.axes if letter != "c"]
    operands: list[Operand] = [
        node("Unsqueeze", x, integers(*axes)) if shape != whole else x
        for x, shape in zip(site.inputs, site.shapes, strict=True)
    ]
    return _pairwise("Mul", tuple(operands))


@ROWS.row(Stack)
def stack(op: Stack, site: Site) -> Operand:
    """Each with the new axis, then side by side along it."""
    axis = axis_of(op.infer(*site.shapes), op.axis)
    return node("Concat", *(node("Unsqueeze", x, integers(axis)) for x in site.inputs), axis=axis)
