"""Axes in another order."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.permute import Permute


@ROWS.row(Permute)
def _permute(op: Permute, at: Applied) -> Result:
    order = (0, *(1 + at.shapes[0].axes.index(letter) for letter in op.axes))
    back = np.argsort(order)
    return Result(at.inputs[0].transpose(order), lambda dy: Gradients((dy.transpose(back),)))
