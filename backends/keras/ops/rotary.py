"""Positions as turns of pairs of features: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.rotary import Rotary
from netspec.shape import Shape


@ROWS.row(Rotary)
def rotary(op: Rotary, x: Shape) -> Layer:
    """A small layer of the file's own."""
    head_dim = x.axis("c") // op.heads
    sizes = {"length": op.length, "head_dim": head_dim}
    options = {"features": op.turned, "base": op.base}
    return single(Call("Rotary", sizes, options, {"features": head_dim, "base": 10000.0}))
