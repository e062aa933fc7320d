"""Tokens and positions: how Keras realises them."""

from __future__ import annotations

import operator

from netspec.backends.keras.initial import initials
from netspec.backends.keras.layer import Held, Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.embedding import Embed, Positions, Sinusoidal
from netspec.shape import Shape


@ROWS.row(Embed)
def embed(op: Embed, x: Shape) -> Layer:
    """An `Embedding`; without `mask_zero`, which would reach into the layers behind it."""
    keywords = initials(op.weights(x), arguments={"weight": "embeddings_initializer"})
    sizes = {"input_dim": op.vocab, "output_dim": op.dim}
    held = {"weight": (Held("embeddings", order=(0, 1)),)}
    return single(Call("layers.Embedding", sizes, keywords), held=held)


@ROWS.row(Positions)
def positions(op: Positions, x: Shape) -> Layer:
    """A small layer of the file's own."""
    keywords = initials(op.weights(x), arguments={"weight": "initializer"})
    held = {"weight": (Held("weight", order=(0, 1)),)}
    return single(Call("Positions", {"length": op.length}, keywords), held=held)


@ROWS.row(Sinusoidal)
def sinusoidal(op: Sinusoidal, x: Shape) -> Layer:
    """A small layer of the file's own, which computes the table for a known number of steps."""
    operator.index(x.axis("t"))
    return single(Call("SinusoidalPositions", {}, {"base": op.base}, {"base": 10000.0}))
