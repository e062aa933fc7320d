"""Borders around positions, put on and taken away: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.ops.conv import bordered
from netspec.backends.onnx.rows import ROWS, Operand, Site, integers, node, number
from netspec.ops.fields import LARGEST
from netspec.ops.padding import Crop, Pad
from netspec.shape import join_pads, split_pads


@ROWS.row(Pad)
def pad(op: Pad, site: Site) -> Operand:
    """`Pad` of all axes, its value named: an empty name says that it is zero.

    Where the name is left out, ONNX Runtime makes the padding a part of a `MaxPool` behind it, which pads
    with minus infinity.
    """
    (x,) = site.inputs
    if op.mode != "constant":
        return bordered(x, op.mode, op.amount)
    rim = join_pads([(0, 0), (0, 0), *split_pads(op.amount)])
    return node("Pad", x, integers(*rim), number(op.value) if op.value else "")


@ROWS.row(Crop)
def crop(op: Crop, site: Site) -> Operand:
    """`Slice` from both ends."""
    pairs = split_pads(op.amount)
    starts = integers(*(before for before, _ in pairs))
    ends = integers(*(-after if after else LARGEST for _, after in pairs))
    return node("Slice", *site.inputs, starts, ends, integers(*range(2, 2 + len(pairs))))
