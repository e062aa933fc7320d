"""Axes in another order: how PyTorch realises it."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer, method
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.permute import Permute
from netspec.shape import Shape


@ROWS.row(Permute)
def permute(op: Permute, x: Shape) -> Layer:
    """Two axes that change places are a transposition; in a sequence of modules a class of the file."""
    order = [1 + x.axes.index(letter) for letter in op.axes]
    moved = [axis for axis, source in enumerate(order, start=1) if axis != source]
    module = Call("Permute", {"dims": (0, *order)})
    if len(moved) == 2:
        return method("transpose", *moved, sequential=module)
    return method("permute", 0, *order, sequential=module)
