"""Pooling. Of equal elements the first is the maximum, as in PyTorch and TensorFlow."""

from __future__ import annotations

from functools import reduce
from math import prod

import numpy as np

from netspec.backends.reference.rows import (
    ROWS,
    Applied,
    Gradients,
    Result,
    channels_first,
    map_axes,
)
from netspec.backends.reference.windows import Windows
from netspec.ops.fields import per_axis
from netspec.ops.pool import AveragePool, GlobalAveragePool, L2Pool, MaxPool
from netspec.weights import Array


def _windows(op: MaxPool | AveragePool | L2Pool, at: Applied) -> Windows:
    assert isinstance(op.padding, tuple)
    assert op.stride is not None
    dilation = per_axis(op.dilations, len(op.kernel), "dilation")
    return Windows.of(op.kernel, op.stride, dilation, op.padding, op.infer(*at.shapes).spatial)


@ROWS.row(MaxPool)
@channels_first
def _max_pool(op: MaxPool, at: Applied) -> Result:
    (x,) = at.inputs
    windows = _windows(op, at)
    padded = windows.pad(x, -np.inf)
    best = np.full((*x.shape[:2], *windows.steps), -np.inf, x.dtype)
    winner = np.zeros(best.shape, np.int32)
    for index, places in enumerate(windows.taps()):
        seen = padded[places]
        better = (seen > best) | np.isnan(seen)
        best[better] = seen[better]
        winner[better] = index

    def pullback(dy: Array) -> Gradients:
        dpadded = np.zeros_like(padded)
        for index, places in enumerate(windows.taps()):
            dpadded[places] += dy * (winner == index)
        return Gradients((windows.crop(dpadded, x.shape[2:]),))

    return Result(best, pullback)


@ROWS.row(AveragePool)
@channels_first
def _average_pool(op: AveragePool, at: Applied) -> Result:
    (x,) = at.inputs
    windows = _windows(op, at)
    padded = windows.pad(x, 0)
    total = np.zeros((*x.shape[:2], *windows.steps), x.dtype)
    for places in windows.taps():
        total += padded[places]
    divisor = _divisor(windows, x.shape[2:], bool(op.count_padding)).astype(x.dtype)

    def pullback(dy: Array) -> Gradients:
        share = dy / divisor
        dpadded = np.zeros_like(padded)
        for places in windows.taps():
            dpadded[places] += share
        return Gradients((windows.crop(dpadded, x.shape[2:]),))

    return Result(total / divisor, pullback)


@ROWS.row(L2Pool)
@channels_first
def _l2_pool(op: L2Pool, at: Applied) -> Result:
    (x,) = at.inputs
    windows = _windows(op, at)
    padded = windows.pad(x, 0)
    total = np.zeros((*x.shape[:2], *windows.steps), x.dtype)
    for places in windows.taps():
        total += padded[places] ** 2
    norm = np.sqrt(total)

    def pullback(dy: Array) -> Gradients:
        share = dy / norm
        dpadded = np.zeros_like(padded)
        for places in windows.taps():
            dpadded[places] += share * padded[places]
        return Gradients((windows.crop(dpadded, x.shape[2:]),))

    return Result(norm, pullback)


def _divisor(windows: Windows, spatial: tuple[int, ...], count_padding: bool) -> Array:
    """How many elements each window's mean is over.

    Padding counts or not; what `ceil` shows a window past the padding never does, as in PyTorch.
    """
    counts = []
    for size, kernel, stride, (before, after), n in zip(
        spatial, windows.kernel, windows.stride, windows.pads, windows.steps, strict=True
    ):
        low, high = (0, before + size + after) if count_padding else (before, before + size)
        starts = np.arange(n) * stride
        counts.append(np.minimum(starts + kernel, high) - np.maximum(starts, low))
    return reduce(np.multiply.outer, counts)


@ROWS.row(GlobalAveragePool)
def _global_average_pool(op: GlobalAveragePool, at: Applied) -> Result:
    (x,) = at.inputs
    spatial = map_axes(at.shapes[0])

    def pullback(dy: Array) -> Gradients:
        share = dy / prod(at.shapes[0].spatial)
        whole = share if op.keep else np.expand_dims(share, spatial)
        return Gradients((np.broadcast_to(whole, x.shape),))

    return Result(x.mean(spatial, keepdims=op.keep), pullback)
