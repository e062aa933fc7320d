"""Pools over bins and over whole maps. Of a bin's equal elements the first is its maximum, as in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np

from netspec.backends.reference.rows import (
    ROWS,
    Applied,
    Gradients,
    Result,
    channels_first,
    map_axes,
)
from netspec.ops.adaptive import AdaptiveAveragePool, AdaptiveMaxPool, GlobalMaxPool, bins
from netspec.weights import Array

Places = tuple[Any, ...]


def _bins(x: Array, sizes: tuple[int, ...]) -> Iterator[tuple[Places, Places]]:
    """Where each element of the result stands, and the bin of `(n, c, *spatial)` that it is made of."""
    axes = [bins(size, count) for size, count in zip(x.shape[2:], sizes, strict=True)]
    for numbered in product(*map(enumerate, axes)):
        places = tuple(slice(start, end) for _, (start, end) in numbered)
        yield (..., *(number for number, _ in numbered)), (..., *places)


@ROWS.row(AdaptiveAveragePool)
@channels_first
def _adaptive_average_pool(op: AdaptiveAveragePool, at: Applied) -> Result:
    (x,) = at.inputs
    spatial = tuple(range(2, x.ndim))
    y = np.empty((*x.shape[:2], *op.sizes), x.dtype)
    for place, seen in _bins(x, op.sizes):
        y[place] = x[seen].mean(spatial)

    def pullback(dy: Array) -> Gradients:
        dx = np.zeros_like(x)
        for place, seen in _bins(x, op.sizes):
            dx[seen] += np.expand_dims(dy[place] / prod(dx[seen].shape[2:]), spatial)
        return Gradients((dx,))

    return Result(y, pullback)


@ROWS.row(AdaptiveMaxPool)
@channels_first
def _adaptive_max_pool(op: AdaptiveMaxPool, at: Applied) -> Result:
    (x,) = at.inputs
    y = np.empty((*x.shape[:2], *op.sizes), x.dtype)
    for place, seen in _bins(x, op.sizes):
        y[place] = x[seen].max(tuple(range(2, x.ndim)))

    def pullback(dy: Array) -> Gradients:
        dx = np.zeros_like(x)
        for place, seen in _bins(x, op.sizes):
            flat = x[seen].reshape(*x.shape[:2], -1)
            first = np.arange(flat.shape[-1]) == flat.argmax(-1)[..., None]
            dx[seen] += (first * dy[place][..., None]).reshape(x[seen].shape)
        return Gradients((dx,))

    return Result(y, pullback)


@ROWS.row(GlobalMaxPool)
def _global_max_pool(op: GlobalMaxPool, at: Applied) -> Result:
    (x,) = at.inputs
    spatial = map_axes(at.shapes[0])
    best = x.max(spatial, keepdims=True)
    winners = x == best

    def pullback(dy: Array) -> Gradients:
        whole = dy if op.keep else np.expand_dims(dy, spatial)
        sharers = winners.sum(spatial, keepdims=True, dtype=x.dtype)
        return Gradients((whole * winners / sharers,))

    return Result(best if op.keep else best.squeeze(spatial), pullback)
