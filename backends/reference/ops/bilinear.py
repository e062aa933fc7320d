"""Products of two tensors through learned weights."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.bilinear import Bilinear
from netspec.weights import Array


@ROWS.row(Bilinear)
def _bilinear(op: Bilinear, at: Applied) -> Result:
    (x, y), weight = at.inputs, at.weights["weight"]
    value = np.einsum("...i,oij,...j->...o", x, weight, y)

    def pullback(dy: Array) -> Gradients:
        dx = np.einsum("...o,oij,...j->...i", dy, weight, y)
        dother = np.einsum("...o,oij,...i->...j", dy, weight, x)
        flat, left, right = (each.reshape(-1, each.shape[-1]) for each in (dy, x, y))
        weights = {"weight": np.einsum("no,ni,nj->oij", flat, left, right)}
        if op.bias:
            weights["bias"] = flat.sum(0)
        return Gradients((dx, dother), weights)

    return Result(value + at.weights["bias"] if op.bias else value, pullback)
