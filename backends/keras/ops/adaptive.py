"""Pools over bins and over whole maps: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.ops.pool import over_map
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, short
from netspec.ops.adaptive import AdaptiveAveragePool, AdaptiveMaxPool, GlobalMaxPool
from netspec.shape import Shape


@ROWS.row(AdaptiveAveragePool)
def adaptive_average_pool(op: AdaptiveAveragePool, x: Shape) -> Layer:
    """A usual pool where the bins are of one size, else a class of the file, since Keras's own fails at a size of 1."""
    return _pooled("Average", "mean", op, x)


@ROWS.row(AdaptiveMaxPool)
def adaptive_max_pool(op: AdaptiveMaxPool, x: Shape) -> Layer:
    """Likewise."""
    return _pooled("Max", "max", op, x)


def _pooled(
    func: str, reduction: str, op: AdaptiveAveragePool | AdaptiveMaxPool, x: Shape
) -> Layer:
    if set(op.sizes) == {1}:
        return over_map(func, x, keep=True)
    window = op.window(x)
    if window is not None:
        return single(Call(f"layers.{func}Pooling{len(window)}D", {"pool_size": short(window)}))
    return single(Call("AdaptivePooling", {"sizes": op.sizes}, {"reduction": reduction}))


@ROWS.row(GlobalMaxPool)
def global_max_pool(op: GlobalMaxPool, x: Shape) -> Layer:
    """The maximum over the spatial axes, whose gradient equal elements share."""
    return over_map("Max", x, op.keep)
