"""Reductions over named axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result, axis_of
from netspec.ops import Op
from netspec.ops.reduce import (
    ReduceDeviation,
    ReduceLogSumExp,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProduct,
    ReduceSum,
    ReduceVariance,
)
from netspec.weights import Array

_Axes: TypeAlias = tuple[int, ...]
_Reduction: TypeAlias = Callable[[Array, _Axes], tuple[Array, Array]]
"""The reduced array with its axes kept, and the derivative by each element of the input."""


def _reduction(op: type[Op]) -> Callable[[_Reduction], _Reduction]:
    """Register the decorated function as the row of an op."""

    def register(function: _Reduction) -> _Reduction:
        def row(op: Any, at: Applied) -> Result:
            axes = tuple(axis_of(at.shapes[0], axis) for axis in op.axes)
            y, slope = function(at.inputs[0], axes)

            def pullback(dy: Array) -> Gradients:
                return Gradients(((dy if op.keep else np.expand_dims(dy, axes)) * slope,))

            return Result(y if op.keep else np.squeeze(y, axes), pullback)

        ROWS.row(op)(row)
        return function

    return register


@_reduction(ReduceSum)
def _sum(x: Array, axes: _Axes) -> tuple[Array, Array]:
    return x.sum(axes, keepdims=True), np.ones_like(x)


@_reduction(ReduceMean)
def _mean(x: Array, axes: _Axes) -> tuple[Array, Array]:
    y = x.mean(axes, keepdims=True)
    return y, np.full_like(x, y.size / x.size)


@_reduction(ReduceMax)
def _max(x: Array, axes: _Axes) -> tuple[Array, Array]:
    return _extreme(x, x.max(axes, keepdims=True), axes)


@_reduction(ReduceMin)
def _min(x: Array, axes: _Axes) -> tuple[Array, Array]:
    return _extreme(x, x.min(axes, keepdims=True), axes)


def _extreme(x: Array, y: Array, axes: _Axes) -> tuple[Array, Array]:
    chosen = (x == y).astype(x.dtype)
    return y, chosen / chosen.sum(axes, keepdims=True)


@_reduction(ReduceProduct)
def _product(x: Array, axes: _Axes) -> tuple[Array, Array]:
    """The derivative by an element is the product of the others, taken from both ends."""
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    rows = moved.reshape(*moved.shape[: -len(axes)], -1)
    ones = np.ones_like(rows[..., :1])
    before = np.cumprod(np.concatenate([ones, rows[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([ones, rows[..., :0:-1]], -1), -1)[..., ::-1]
    slope = np.moveaxis((before * after).reshape(moved.shape), range(-len(axes), 0), axes)
    return x.prod(axes, keepdims=True), slope


@_reduction(ReduceLogSumExp)
def _logsumexp(x: Array, axes: _Axes) -> tuple[Array, Array]:
    top = x.max(axes, keepdims=True)
    y = top + np.log(np.exp(x - top).sum(axes, keepdims=True))
    return y, np.exp(x - y)


@_reduction(ReduceVariance)
def _variance(x: Array, axes: _Axes) -> tuple[Array, Array]:
    centred = x - x.mean(axes, keepdims=True)
    y = np.square(centred).mean(axes, keepdims=True)
    return y, centred * (2 * y.size / x.size)


@_reduction(ReduceDeviation)
def _deviation(x: Array, axes: _Axes) -> tuple[Array, Array]:
    variance, slope = _variance(x, axes)
    y = np.sqrt(variance)
    with np.errstate(invalid="ignore"):  # where all are equal there is no derivative
        return y, slope / (2 * y)
