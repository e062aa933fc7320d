"""Convolution of any rank, its transpose and their gradients: three sums over the same products."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from netspec.backends.reference.border import bordered, unbordered
from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result, channels_first
from netspec.backends.reference.windows import Windows
from netspec.ops.conv import Conv, ConvTranspose, StandardizedConv
from netspec.weights import Array

_BLOCK = 2**22
"""Elements of unfolded input at a time (32 MiB in float64)."""


@ROWS.row(Conv)
@channels_first
def _conv(op: Conv, at: Applied) -> Result:
    return _correlate(op, at, at.weights["weight"])


@ROWS.row(StandardizedConv)
@channels_first
def _standardized_conv(op: StandardizedConv, at: Applied) -> Result:
    raw = at.weights["weight"]
    one_filter = tuple(range(1, raw.ndim))
    inverse = 1 / np.sqrt(raw.var(one_filter, keepdims=True) + op.eps)
    weight = (raw - raw.mean(one_filter, keepdims=True)) * inverse
    output, pullback, _ = _correlate(op, at, weight)

    def through_the_weight(dy: Array) -> Gradients:
        inputs, weights = pullback(dy)
        inner = weights["weight"]
        inner = inner - weight * (inner * weight).mean(one_filter, keepdims=True)
        inner = (inner - inner.mean(one_filter, keepdims=True)) * inverse
        return Gradients(inputs, {**weights, "weight": inner})

    return Result(output, through_the_weight)


def _correlate(op: Conv | StandardizedConv, at: Applied, weight: Array) -> Result:
    """The convolution by a weight; its pullback gives that weight's gradient."""
    (x,) = at.inputs
    assert isinstance(op.padding, tuple)
    steps = op.infer(*at.shapes).spatial
    pads, padding, spatial = op.padding, op.padding, x.shape[2:]
    if op.mode != "zeros":
        x = bordered(x, op.padding, op.mode)
        pads = (0,) * len(pads)
    windows = Windows.of(op.kernel, op.stride, op.dilation, pads, steps)

    def pullback(dy: Array) -> Gradients:
        dx = spread(dy, weight, windows, op.groups, x.shape[2:])
        if op.mode != "zeros":
            dx = unbordered(dx, padding, op.mode, spatial)
        return Gradients((dx,), _weights(op, dy, pair(x, dy, windows, op.groups)))

    return Result(_biased(gather(x, weight, windows, op.groups), at), pullback)


@ROWS.row(ConvTranspose)
@channels_first
def _conv_transpose(op: ConvTranspose, at: Applied) -> Result:
    (x,) = at.inputs
    weight = at.weights["weight"]
    assert isinstance(op.padding, tuple)
    windows = Windows.of(op.kernel, op.stride, op.dilation, op.padding, x.shape[2:])
    y = spread(x, weight, windows, op.groups, op.infer(*at.shapes).spatial)

    def pullback(dy: Array) -> Gradients:
        dx = gather(dy, weight, windows, op.groups)
        return Gradients((dx,), _weights(op, dy, pair(dy, x, windows, op.groups)))

    return Result(_biased(y, at), pullback)


def gather(x: Array, weight: Array, windows: Windows, groups: int) -> Array:
    """Convolve `(n, i, *spatial) -> (n, o, *steps)` by a weight `(o, i / groups, *kernel)`."""
    y = np.empty((len(x), len(weight), *windows.steps), x.dtype)
    flat = _grouped(weight, groups)
    for sample, rows, columns in _blocks(windows.pad(x, 0), windows, groups):
        block = y[sample, :, rows]
        block[...] = (flat @ columns).reshape(block.shape)
    return y


def spread(
    y: Array, weight: Array, windows: Windows, groups: int, spatial: tuple[int, ...]
) -> Array:
    """The adjoint of `gather` in `x`: `(n, o, *steps) -> (n, i, *spatial)`."""
    channels = weight.shape[1] * groups
    padded = np.zeros((len(y), channels, *windows.fit(spatial)), y.dtype)
    flat = _grouped(weight, groups).swapaxes(1, 2)
    for sample in range(len(y)):
        for rows in _row_blocks(windows, channels):
            block = y[sample, :, rows]
            count = block.shape[1]
            columns = flat @ block.reshape(groups, len(weight) // groups, -1)
            taps = columns.reshape(channels, prod(windows.kernel), *block.shape[1:])
            for index, places in enumerate(windows.taps(rows.start, count)):
                padded[sample][places] += taps[:, index]
    return windows.crop(padded, spatial)


def pair(x: Array, y: Array, windows: Windows, groups: int) -> Array:
    """The adjoint of `gather` in `weight`: `(o, i / groups, *kernel)`."""
    outputs, inputs = y.shape[1], x.shape[1] // groups
    total = np.zeros((groups, outputs // groups, inputs * prod(windows.kernel)), x.dtype)
    for sample, rows, columns in _blocks(windows.pad(x, 0), windows, groups):
        block = y[sample, :, rows].reshape(groups, outputs // groups, -1)
        total += block @ columns.swapaxes(1, 2)
    return total.reshape(outputs, inputs, *windows.kernel)


def _blocks(padded: Array, windows: Windows, groups: int) -> Iterator[tuple[int, slice, Array]]:
    """Unfold `(groups, i / groups * taps, positions)` for each example and block of rows."""
    rank, channels = len(windows.kernel), padded.shape[1]
    axes = tuple(range(2, 2 + rank))
    steps = tuple(
        slice(0, (n - 1) * s + 1, s) for n, s in zip(windows.steps, windows.stride, strict=True)
    )
    taps = tuple(slice(None, None, d) for d in windows.dilation)
    picked: tuple[Any, ...] = (..., *steps, *taps)
    view = sliding_window_view(padded, windows.extents, axes)[picked]
    view = np.moveaxis(view, axes, range(2 + rank, 2 + 2 * rank))
    for sample in range(len(padded)):
        by_rows = np.moveaxis(view[sample], 1 + rank, 0)
        for rows in _row_blocks(windows, channels):
            block = np.moveaxis(by_rows[rows], 0, 1 + rank)
            yield sample, rows, block.reshape(groups, channels // groups * prod(windows.kernel), -1)


def _row_blocks(windows: Windows, channels: int) -> Iterator[slice]:
    """The first spatial axis of the windows, cut so that what they unfold stays small."""
    row = channels * prod(windows.kernel) * prod(windows.steps[1:])
    height = max(_BLOCK // row, 1)
    for first in range(0, windows.steps[0], height):
        yield slice(first, min(first + height, windows.steps[0]))


def _grouped(weight: Array, groups: int) -> Array:
    return weight.reshape(groups, len(weight) // groups, -1)


def _biased(y: Array, at: Applied) -> Array:
    if "bias" in at.weights:
        y += at.weights["bias"].reshape(-1, *(1,) * (y.ndim - 2))
    return y


def _weights(
    op: Conv | StandardizedConv | ConvTranspose, dy: Array, dweight: Array
) -> dict[str, Array]:
    spatial = tuple(range(2, dy.ndim))
    return {"weight": dweight, "bias": dy.sum((0, *spatial))} if op.bias else {"weight": dweight}
