"""Resampling: a matrix for each spatial axis. None has weights."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result, channels_first
from netspec.ops.resize import Resize, Upsample
from netspec.weights import Array

_SHARPNESS = -0.75
"""The constant of Keys's cubic convolution (1981) that PyTorch takes."""


@ROWS.row(Upsample, Resize)
@channels_first
def _resample(op: Upsample | Resize, at: Applied) -> Result:
    (x,) = at.inputs
    sizes = op.infer(*at.shapes).spatial
    matrices = [
        _matrix(old, new, op.mode, op.corners).astype(x.dtype)
        for old, new in zip(x.shape[2:], sizes, strict=True)
    ]

    def pullback(dy: Array) -> Gradients:
        return Gradients((_applied([matrix.T for matrix in matrices], dy),))

    return Result(_applied(matrices, x), pullback)


def _applied(matrices: list[Array], x: Array) -> Array:
    for axis, matrix in enumerate(matrices, start=2):
        x = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
    return x


def _matrix(old: int, new: int, mode: str, corners: str) -> Array:
    """`(new, old)`: how much of each old position a new one takes. What lies outside is the nearest inside."""
    rows = np.arange(new)
    matrix = np.zeros((new, old))
    if mode == "nearest":
        matrix[rows, rows * old // new] = 1
        return matrix
    places = (rows + 0.5) * (old / new) - 0.5
    if corners == "align":
        places = rows * ((old - 1) / max(new - 1, 1))
    first = np.floor(places).astype(int)
    for tap in range(-1, 3):
        distance = np.abs(places - first - tap)
        share = np.maximum(1 - distance, 0) if mode == "linear" else _keys(distance)
        np.add.at(matrix, (rows, np.clip(first + tap, 0, old - 1)), share)
    return matrix


def _keys(distance: Array) -> Array:
    """The cubic convolution kernel up to a distance of 2."""
    a, d = _SHARPNESS, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = a * (((d - 5) * d + 8) * d - 4)
    return np.where(d <= 1, near, far)
