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
    return _layer(op, "Dropout")


@ROWS.row(SpatialDropout)
def spatial_dropout(op: SpatialDropout, x: Shape) -> Layer:
    """PyTorch has one for each number of spatial axes."""
    return _layer(op, f"Dropout{len(x.spatial)}d")


@ROWS.row(AlphaDropout)
def alpha_dropout(op: AlphaDropout, _x: Shape) -> Layer:
    """The same as the spec's."""
    return _layer(op, "AlphaDropout")


@ROWS.row(DropPath)
def drop_path(op: DropPath, _x: Shape) -> Layer:
    """A class of the file: PyTorch has none."""
    return Layer(Call("MCDropPath" if op.always else "DropPath", {"p": op.rate}))


def _layer(op: Dropout | SpatialDropout | AlphaDropout, name: str) -> Layer:
    """PyTorch's layer, or the file's own subclass of it that stays on in `eval` mode."""
    return Layer(Call(f"MC{name}" if op.always else f"nn.{name}", {"p": op.rate}))
