"""Dropout: how Keras realises it."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.dropout import AlphaDropout, Dropout, DropPath, SpatialDropout
from netspec.shape import Shape


@ROWS.row(Dropout)
def dropout(op: Dropout, _x: Shape) -> Layer:
    """Inverted dropout, as in the spec."""
    return single(Call("layers.Dropout", {"rate": op.rate}))


@ROWS.row(SpatialDropout)
def spatial_dropout(op: SpatialDropout, x: Shape) -> Layer:
    """Keras has one for each number of spatial axes, with the channels last."""
    return single(Call(f"layers.SpatialDropout{len(x.spatial)}D", {"rate": op.rate}))


@ROWS.row(AlphaDropout)
def alpha_dropout(op: AlphaDropout, _x: Shape) -> Layer:
    """The same as the spec's."""
    return single(Call("layers.AlphaDropout", {"rate": op.rate}))


@ROWS.row(DropPath)
def drop_path(op: DropPath, x: Shape) -> Layer:
    """Dropout whose noise is one number for each example."""
    noise = (None, *(1 for _ in x.axes))
    return single(Call("layers.Dropout", {"rate": op.rate}, {"noise_shape": noise}))
