"""Scales and shifts of each channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result, pointwise
from netspec.ops.affine import Affine, Normalize, Rescale, Scale, Shift
from netspec.weights import Array


@ROWS.row(Scale, Shift, Affine)
def _affine(op: Any, at: Applied) -> Result:
    (x,) = at.inputs
    names = {"scale": ("", None), "shift": (None, ""), "affine": ("weight", "bias")}[op.kind]
    scale, shift = (None if name is None else at.weights[name] for name in names)
    shape = next(iter(at.weights.values())).shape
    others = tuple(
        i for i in range(x.ndim) if i < x.ndim - len(shape) or shape[i - x.ndim] != x.shape[i]
    )
    y = x if scale is None else x * scale

    def pullback(dy: Array) -> Gradients:
        pulled = {names[0]: dy * x, names[1]: dy}
        weights = {n: pulled[n].sum(others).reshape(shape) for n in names if n is not None}
        return Gradients((dy if scale is None else dy * scale,), weights)

    return Result(y if shift is None else y + shift, pullback)


@ROWS.row(Normalize)
def _normalize(op: Normalize, at: Applied) -> Result:
    (x,), (shape,) = at.inputs, at.shapes
    behind = (1,) * (len(shape.axes) - 1 - shape.axes.index("c"))
    mean, std = (
        np.asarray(values, np.float32).astype(x.dtype).reshape(-1, *behind)
        for values in (op.mean, op.std)
    )
    return Result((x - mean) / std, lambda dy: Gradients((dy / std,)))


@pointwise(Rescale)
def _rescale(op: Rescale, x: Array) -> tuple[Array, Array]:
    return op.factor * x + op.offset, np.full_like(x, op.factor)
