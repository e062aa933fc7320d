"""Ops that give a tensor other axes. None has weights."""

from __future__ import annotations

from math import prod

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.reshape import Flatten, Rearrange, Regroup, Reshape, Squeeze, Unsqueeze


@ROWS.row(Flatten, Reshape)
def _reshape(op: Flatten | Reshape, at: Applied) -> Result:
    (x,) = at.inputs
    sizes = op.infer(*at.shapes).sizes
    return Result(x.reshape(len(x), *sizes), lambda dy: Gradients((dy.reshape(x.shape),)))


@ROWS.row(Rearrange, Squeeze, Unsqueeze)
def regroup(op: Regroup, at: Applied) -> Result:
    """Into elementary axes, those in their new order, and into groups; axes of size 1 come and go."""
    (x,) = at.inputs
    left, right, sizes = op.grouping(*at.shapes)
    given = [name for group in left for name in group if sizes[name] > 1]
    wanted = [name for group in right for name in group if sizes[name] > 1]
    there = [0, *(1 + given.index(name) for name in wanted)]
    back = [0, *(1 + wanted.index(name) for name in given)]
    split = x.reshape(len(x), *(sizes[name] for name in given)).transpose(there)
    groups = [prod(sizes[name] for name in group) for group in right]
    return Result(
        split.reshape(len(x), *groups),
        lambda dy: Gradients((dy.reshape(split.shape).transpose(back).reshape(x.shape),)),
    )
