"""Dropout: how Keras realises it."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr
from netspec.ops.dropout import AlphaDropout, Dropout, DropPath, SpatialDropout
from netspec.shape import Shape


@ROWS.row(Dropout)
def dropout(op: Dropout, _x: Shape) -> Layer:
    """Inverted dropout, as in the spec."""
    return _layer(op, "Dropout")


@ROWS.row(SpatialDropout)
def spatial_dropout(op: SpatialDropout, x: Shape) -> Layer:
    """Keras has one for each number of spatial axes, with the channels last."""
    return _layer(op, f"SpatialDropout{len(x.spatial)}D")


@ROWS.row(AlphaDropout)
def alpha_dropout(op: AlphaDropout, _x: Shape) -> Layer:
    """The same as the spec's."""
    return _layer(op, "AlphaDropout")


@ROWS.row(DropPath)
def drop_path(op: DropPath, x: Shape) -> Layer:
    """Dropout whose noise is one number for each example."""
    return _layer(op, "Dropout", noise_shape=(None, *(1 for _ in x.axes)))


def _layer(
    op: Dropout | SpatialDropout | AlphaDropout | DropPath, name: str, **more: Expr
) -> Layer:
    """Keras's layer, or the file's own subclass of it that stays on in inference."""
    made = f"MC{name}" if op.always else f"layers.{name}"
    return single(Call(made, {"rate": op.rate}, more))
