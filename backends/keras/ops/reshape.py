"""Ops that only rearrange: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, chain, single
from netspec.backends.keras.rows import (
    ROWS,
)
from netspec.emit.source import Call
from netspec.ops.reshape import Flatten
from netspec.shape import Shape


@ROWS.row(Flatten)
def flatten(_op: Flatten, x: Shape) -> Layer:
    """The spec's order has the channels first."""
    rank = len(x.spatial)
    if x.kind not in ("image", "volume") or x.axis("c") in (1, x.elements):
        return single(Call("layers.Flatten"))
    first = Call("layers.Permute", {"dims": (rank + 1, *range(1, rank + 1))})
    return chain(("permute", first), ("", Call("layers.Flatten")))
