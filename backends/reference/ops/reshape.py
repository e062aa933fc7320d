"""Ops that only rearrange. None has weights."""

from __future__ import annotations

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.reshape import Flatten


@ROWS.row(Flatten)
def _flatten(_: Flatten, at: Applied) -> Result:
    (x,) = at.inputs
    return Result(x.reshape(len(x), -1), lambda dy: Gradients((dy.reshape(x.shape),)))
