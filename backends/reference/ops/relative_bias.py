"""What attention knows of how far apart two steps are."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.relative_bias import RelativeBias
from netspec.weights import Array


@ROWS.row(RelativeBias)
def _relative_bias(op: RelativeBias, at: Applied) -> Result:
    (x,), weight = at.inputs, at.weights["weight"]
    steps = np.arange(x.shape[1])
    ways = np.clip(steps - steps[:, None], -op.distance, op.distance)
    index = np.array(op.table)[ways + op.distance]

    def pullback(dy: Array) -> Gradients:
        gradient = np.zeros_like(weight)
        np.add.at(gradient, index, dy.sum(0).transpose(1, 2, 0))
        return Gradients((np.zeros(x.shape, dy.dtype),), {"weight": gradient})

    bias = weight[index].transpose(2, 0, 1)
    return Result(np.broadcast_to(bias, (len(x), *bias.shape)), pullback)
