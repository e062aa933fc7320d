"""Dropout: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.dropout import Dropout
from netspec.shape import Shape


@ROWS.row(Dropout)
def dropout(op: Dropout, _x: Shape) -> Layer:
    """Inverted dropout, as in the spec."""
    return Layer(Call("nn.Dropout", {"p": op.rate}))
