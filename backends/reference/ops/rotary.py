"""Positions as turns of pairs of features."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rotation import turned
from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.rotary import Rotary
from netspec.weights import Array


@ROWS.row(Rotary)
def _rotary(op: Rotary, at: Applied) -> Result:
    (x,) = at.inputs

    def turn(value: Array, sign: int) -> Array:
        heads = value.reshape(*value.shape[:2], op.heads, -1).swapaxes(1, 2)
        part, rest = heads[..., : op.turned], heads[..., op.turned :]
        joined = np.concatenate([turned(part, op.base, sign), rest], axis=-1)
        return joined.swapaxes(1, 2).reshape(value.shape)

    return Result(turn(x, 1), lambda dy: Gradients((turn(dy, -1),)))
