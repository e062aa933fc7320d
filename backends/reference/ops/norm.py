"""Normalisations, with the statistics that training moves."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from netspec.backends.reference.rows import (
    ROWS,
    Applied,
    Gradients,
    Result,
    axis_of,
    channels_first,
    feature_axis,
)
from netspec.ops.norm.batch import BatchNorm
from netspec.ops.norm.per_example import (
    GroupNorm,
    InstanceNorm,
    L2Normalise,
    LayerNorm,
    LocalResponseNorm,
    RmsNorm,
)
from netspec.weights import Array


@ROWS.row(BatchNorm)
def _batch_norm(op: BatchNorm, at: Applied) -> Result:
    """Training normalises by the biased variance; the running variance takes the unbiased one.

    Raises ValueError where the batch holds one value for each channel: it has no variance.
    """
    (x,) = at.inputs
    channels = feature_axis(at.shapes[0])
    others = tuple(axis for axis in range(x.ndim) if axis != channels)

    def along(vector: Array) -> Array:
        return np.expand_dims(vector, others)

    statistics = {}
    mean, variance = at.weights["running_mean"], at.weights["running_var"]
    if at.training:
        count = x.size // x.shape[channels]
        if count == 1:
            raise ValueError("batch norm needs more than one value for each channel in training")
        batch_mean = x.mean(others)
        batch_variance = np.square(x - along(batch_mean)).mean(others)
        unbiased = batch_variance * (count / (count - 1))
        statistics = {
            "running_mean": (1 - op.momentum) * mean + op.momentum * batch_mean,
            "running_var": (1 - op.momentum) * variance + op.momentum * unbiased,
        }
        mean, variance = batch_mean, batch_variance
    inverse = 1 / np.sqrt(variance + op.eps)
    normal = (x - along(mean)) * along(inverse)
    scale = at.weights["weight"] if op.affine else np.ones_like(inverse)
    shift = at.weights["bias"] if op.affine else np.zeros_like(inverse)

    def pullback(dy: Array) -> Gradients:
        dscale, dshift = (dy * normal).sum(others), dy.sum(others)
        inner = dy
        if at.training:
            inner = dy - along(dshift / count) - normal * along(dscale / count)
        weights = {"weight": dscale, "bias": dshift} if op.affine else {}
        return Gradients((inner * along(scale * inverse),), weights)

    return Result(normal * along(scale) + along(shift), pullback, statistics)


def _standardised(
    x: Array, axes: tuple[int, ...], eps: float
) -> tuple[Array, Callable[[Array], Array]]:
    """Mean 0 and variance 1 over these axes, and the pullback."""
    centred = x - x.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt(np.square(centred).mean(axes, keepdims=True) + eps)
    normal: Array = centred * inverse

    def pullback(dy: Array) -> Array:
        mean, slope = dy.mean(axes, keepdims=True), (dy * normal).mean(axes, keepdims=True)
        pulled: Array = inverse * (dy - mean - normal * slope)
        return pulled

    return normal, pullback


def _affine(
    at: Applied, normal: Array, pull: Callable[[Array], Array], axes: tuple[int, ...]
) -> Result:
    """The scale and shift that the op has, which lie along these axes of the input, behind its normal form."""
    others = tuple(axis for axis in range(normal.ndim) if axis not in axes)
    weights = {name: np.expand_dims(weight, others) for name, weight in at.weights.items()}
    scale = weights.get("weight", np.ones((), normal.dtype))

    def pullback(dy: Array) -> Gradients:
        pulled = {"weight": dy * normal, "bias": dy}
        own = {name: pulled[name].sum(others) for name in weights}
        return Gradients((pull(dy * scale),), own)

    y = normal * scale
    return Result(y + weights["bias"] if "bias" in weights else y, pullback)


@ROWS.row(LayerNorm)
def _layer_norm(op: LayerNorm, at: Applied) -> Result:
    (x,) = at.inputs
    axes = tuple(range(1, x.ndim)) if op.over == "all" else (feature_axis(at.shapes[0]),)
    return _affine(at, *_standardised(x, axes, op.eps), axes)


def _by_groups(at: Applied, groups: int, eps: float) -> Result:
    """Groups of channels, which stand behind the batch, normalised with all their positions."""
    (x,) = at.inputs
    normal, pull = _standardised(x.reshape(len(x), groups, -1), (2,), eps)
    shape = (len(x), groups, prod(x.shape[1:]) // groups)
    return _affine(
        at, normal.reshape(x.shape), lambda dy: pull(dy.reshape(shape)).reshape(x.shape), (1,)
    )


@ROWS.row(GroupNorm)
@channels_first
def _group_norm(op: Any, at: Applied) -> Result:
    return _by_groups(at, op.groups, op.eps)


@ROWS.row(InstanceNorm)
@channels_first
def _instance_norm(op: Any, at: Applied) -> Result:
    return _by_groups(at, at.inputs[0].shape[1], op.eps)


@ROWS.row(RmsNorm)
def _rms_norm(op: RmsNorm, at: Applied) -> Result:
    (x,) = at.inputs
    axis = feature_axis(at.shapes[0])
    inverse = 1 / np.sqrt(np.square(x).mean(axis, keepdims=True) + op.eps)
    normal = x * inverse

    def pull(dy: Array) -> Array:
        pulled: Array = inverse * (dy - normal * (dy * normal).mean(axis, keepdims=True))
        return pulled

    return _affine(at, normal, pull, (axis,))


@ROWS.row(LocalResponseNorm)
def _local_response_norm(op: LocalResponseNorm, at: Applied) -> Result:
    (x,) = at.inputs
    margin = op.size // 2

    def around(values: Array) -> Array:
        """The sum over the channels around each, which lie along axis 1."""
        padded = np.pad(values, [(0, 0), (margin, margin), *[(0, 0)] * (x.ndim - 2)])
        total: Array = np.add.reduce(
            [padded[:, first : first + x.shape[1]] for first in range(op.size)]
        )
        return total

    under = op.k + op.alpha / op.size * around(x * x)
    power = under**-op.beta

    def pullback(dy: Array) -> Gradients:
        shared = around(dy * x * power / under)
        return Gradients((dy * power - 2 * op.alpha * op.beta / op.size * x * shared,))

    return Result(x * power, pullback)


@ROWS.row(L2Normalise)
def _l2_normalise(op: L2Normalise, at: Applied) -> Result:
    (x,) = at.inputs
    axis = axis_of(at.shapes[0], op.axis)
    length = np.sqrt(np.square(x).sum(axis, keepdims=True))
    under = np.maximum(length, op.eps)
    y = x / under

    def pullback(dy: Array) -> Gradients:
        along = np.where(length > op.eps, (dy * y).sum(axis, keepdims=True), 0)
        return Gradients(((dy - y * along) / under,))

    return Result(y, pullback)
