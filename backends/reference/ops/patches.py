"""Windows of an image as vectors, and their sum in its place."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.backends.reference.windows import Windows
from netspec.ops.patches import Fold, Patches, Unfold
from netspec.shape import Shape
from netspec.weights import Array


def _windows(op: Patches, image: Shape) -> Windows:
    steps = op.steps(image.spatial)
    return Windows.of(op.kernel, op.stride, op.dilation, op.padding * 2, steps)


def _unfolded(x: Array, windows: Windows) -> Array:
    """`(n, c, h, w) -> (n, t, c * taps)`."""
    padded = windows.pad(x, 0)
    seen = np.stack([padded[places] for places in windows.taps()], axis=2)
    columns: Array = seen.reshape(len(x), seen.shape[1] * seen.shape[2], -1).swapaxes(1, 2)
    return columns


def _folded(columns: Array, windows: Windows, image: Shape) -> Array:
    """The adjoint of `_unfolded`, for an image of that shape."""
    parts = columns.swapaxes(1, 2).reshape(len(columns), image.axis("c"), -1, *windows.steps)
    total = windows.pad(np.zeros((len(columns), *image.sizes), columns.dtype), 0)
    for tap, places in enumerate(windows.taps()):
        total[places] += parts[:, :, tap]
    return windows.crop(total, image.spatial)


@ROWS.row(Unfold)
def _unfold(op: Unfold, at: Applied) -> Result:
    (x,), (image,) = at.inputs, at.shapes
    windows = _windows(op, image)
    return Result(_unfolded(x, windows), lambda dy: Gradients((_folded(dy, windows, image),)))


@ROWS.row(Fold)
def _fold(op: Fold, at: Applied) -> Result:
    image = op.infer(*at.shapes)
    windows = _windows(op, image)
    return Result(
        _folded(at.inputs[0], windows, image), lambda dy: Gradients((_unfolded(dy, windows),))
    )
