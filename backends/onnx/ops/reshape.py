"""Ops that give a tensor other axes: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    integers,
    node,
)
from netspec.ops.reshape import Flatten, Rearrange, Regroup, Reshape, Squeeze, Unsqueeze


@ROWS.row(Flatten)
def flatten(op: Flatten, site: Site) -> Operand:  # noqa: ARG001
    """All axes behind the batch."""
    return node("Flatten", *site.inputs, axis=1)


@ROWS.row(Reshape)
def reshape(op: Reshape, site: Site) -> Operand:
    """ONNX's own layout is the spec's."""
    return shaped(site.inputs[0], op.infer(*site.shapes).sizes)


@ROWS.row(Rearrange, Squeeze, Unsqueeze)
def regroup(op: Regroup, site: Site) -> Operand:
    """`Reshape`, `Transpose` and `Reshape`, or those of them that are needed."""
    split, order, joined = op.grouping(*site.shapes).moves()
    value = shaped(site.inputs[0], split)
    if order is not None:
        value = node("Transpose", value, perm=(0, *(1 + axis for axis in order)))
    return shaped(value, joined)


def shaped(value: Operand, sizes: tuple[int, ...] | None) -> Operand:
    """Behind the batch, whose size a 0 keeps; a value that has its sizes is as it was."""
    return value if sizes is None else node("Reshape", value, integers(0, *sizes))
