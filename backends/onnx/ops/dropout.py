"""Dropout: how ONNX realises it."""

from __future__ import annotations

from netspec.backends.onnx.noise import alpha_dropped, dropped
from netspec.backends.onnx.rows import ROWS, Operand, Site, axis_of
from netspec.ops.dropout import AlphaDropout, Dropout, DropPath, SpatialDropout


@ROWS.row(Dropout)
def dropout(op: Dropout, site: Site) -> Operand:
    """Nothing at inference, unless it is always on."""
    (x,) = site.inputs
    return dropped(site, x, op.rate) if op.always else x


@ROWS.row(SpatialDropout)
def spatial_dropout(op: SpatialDropout, site: Site) -> Operand:
    """A channel's positions go together."""
    (x,), (shape,) = site.inputs, site.shapes
    together = [axis_of(shape, axis) for axis in shape.axes if axis != "c"]
    return dropped(site, x, op.rate, together) if op.always else x


@ROWS.row(AlphaDropout)
def alpha_dropout(op: AlphaDropout, site: Site) -> Operand:
    """Nothing at inference, unless it is always on."""
    (x,) = site.inputs
    return alpha_dropped(site, x, op.rate) if op.always else x


@ROWS.row(DropPath)
def drop_path(op: DropPath, site: Site) -> Operand:
    """All of an example goes together."""
    (x,), (shape,) = site.inputs, site.shapes
    return dropped(site, x, op.rate, range(1, 1 + len(shape.axes))) if op.always else x
