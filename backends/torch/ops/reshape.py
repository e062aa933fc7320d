"""Ops that only rearrange: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer, method
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.reshape import Flatten
from netspec.shape import Shape


@ROWS.row(Flatten)
def flatten(_op: Flatten, _x: Shape) -> Layer:
    """PyTorch's own layout is the spec's."""
    return method("flatten", 1, sequential=Call("nn.Flatten"))
