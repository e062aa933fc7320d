"""Dropout: how PyTorch realises it."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.dropout import AlphaDropout, Dropout, DropPath, SpatialDropout
from netspec.shape import Shape


@ROWS.row(Dropout)
def dropout(op: Dropout, _x: Shape) -> Layer:
    """Inverted dropout, as in the spec."""
    return Layer(Call("nn.Dropout", {"p": op.rate}))


@ROWS.row(SpatialDropout)
def spatial_dropout(op: SpatialDropout, x: Shape) -> Layer:
    """PyTorch has one for each number of spatial axes."""
    return Layer(Call(f"nn.Dropout{len(x.spatial)}d", {"p": op.rate}))


@ROWS.row(AlphaDropout)
def alpha_dropout(op: AlphaDropout, _x: Shape) -> Layer:
    """The same as the spec's."""
    return Layer(Call("nn.AlphaDropout", {"p": op.rate}))


@ROWS.row(DropPath)
def drop_path(op: DropPath, _x: Shape) -> Layer:
    """A class of the file: PyTorch has none."""
    return Layer(Call("DropPath", {"p": op.rate}))
