"""What attention within windows knows of where things stand."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.window_bias import WindowBias
from netspec.weights import Array


@ROWS.row(WindowBias)
def _window_bias(op: WindowBias, at: Applied) -> Result:
    (x,), table = at.inputs, at.weights[""]
    area = op.size[0] * op.size[1]
    index = np.array(op.index)
    bias = table[index].reshape(area, area, op.heads).transpose(2, 0, 1)
    if any(op.shift):
        regions = np.array(op.regions(at.shapes[0])).reshape(-1, 1, area)
        hidden = np.where(regions[..., None] == regions[..., None, :], 0, -100)
        bias = bias + hidden.astype(bias.dtype)

    def pullback(dy: Array) -> Gradients:
        gradient = dy.reshape(-1, op.heads, area * area).sum(0)
        total = np.zeros_like(table)
        np.add.at(total, index, gradient.T)
        return Gradients((np.zeros(x.shape, dy.dtype),), {"": total})

    return Result(np.broadcast_to(bias, (len(x), *bias.shape)), pullback)
