"""Normalisations, with the statistics that training moves."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result, feature_axis
from netspec.ops.norm import BatchNorm
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
