"""Borders around positions, put on and taken away: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer, X
from netspec.backends.torch.rows import ROWS, around
from netspec.emit.source import Expr, Subscript, call
from netspec.ops.padding import Crop, Pad
from netspec.shape import Shape, split_pads


@ROWS.row(Pad)
def pad(op: Pad, _x: Shape) -> Layer:
    """`F.pad`, which takes the last axis first."""
    more: dict[str, Expr] = {}
    if op.mode != "constant":
        more["mode"] = op.mode
    elif op.value:
        more["value"] = op.value
    return Layer(forward=call("F.pad", X, around(op.amount), **more))


@ROWS.row(Crop)
def crop(op: Crop, _x: Shape) -> Layer:
    """Indices from both ends."""
    ranges = [
        f"{before or ''}:{-after if after else ''}" for before, after in split_pads(op.amount)
    ]
    return Layer(forward=Subscript(X, ", ".join([":", ":", *ranges])))
