"""Ops of several tensors: affine maps are joined, parted or added with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from netspec.backend import need
from netspec.passes.affine.maps import Blocked, Map
from netspec.passes.affine.rows import Place, Row, increasing

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")


def _joined(at: Place, changes: Sequence[Map]) -> Map:
    """Side by side along the axis of a `concat`."""
    axis = at.output.axes.index(at.op.axis)
    first, *others = changes
    if first.extent(axis) == 1 and all(first.equals(other) for other in others):
        return first

    def join(arrays: Sequence[Array]) -> Array:
        shape = np.broadcast_shapes(*(_without(each.shape, axis) for each in arrays))
        return np.concatenate(
            [
                np.broadcast_to(each, (*shape[:axis], x.sizes[axis], *shape[axis + 1 :]))
                for each, x in zip(arrays, at.inputs, strict=True)
            ],
            axis,
        )

    return Map(
        join([each.scale for each in changes]),
        join([each.shift for each in changes]),
        all(each.known for each in changes),
    )


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], 1, *shape[axis + 1 :])


def _parted(at: Place, change: Map) -> Sequence[Map]:
    axis = at.output.axes.index(at.op.axis)
    if change.extent(axis) == 1:
        return [change] * len(at.inputs)
    ends = accumulate((x.sizes[axis] for x in at.inputs), initial=0)

    def part(start: int, stop: int) -> Map:
        places = np.arange(start, stop)
        return change.moved(lambda v: v.take(places, axis) if v.shape[axis] > 1 else v)

    return [part(start, stop) for start, stop in pairwise(ends)]


def _one_scale(changes: Sequence[Map]) -> Array:
    first, *others = (change.scaling() for change in changes)
    if not all(first.equals(other) for other in others):
        raise Blocked("adds a branch that is scaled in another way")
    return first.scale


def _require_whole(at: Place) -> None:
    if any(x != at.output for x in at.inputs):
        raise Blocked("repeats a branch")


def _summed(factors: Callable[[int], Sequence[float]], is_mean: bool = False) -> Row:
    """A sum of the branches with these factors."""

    def forth(at: Place, changes: Sequence[Map]) -> Map:
        _require_whole(at)
        count = len(at.inputs)
        terms = [f * change.shift for f, change in zip(factors(count), changes, strict=True)]
        known = all(change.known for change in changes)
        return Map(_one_scale(changes), reduce(np.add, terms), known)

    def back(at: Place, change: Map) -> Sequence[Map]:
        _require_whole(at)
        others = change if is_mean else change.scaling()
        return [change, *[others] * (len(at.inputs) - 1)]

    return Row(forth, back)


def _extreme(at: Place, changes: Sequence[Map]) -> Map:
    del at
    first, *others = changes
    if not all(first.equals(other) for other in others):
        raise Blocked("compares with a branch that is scaled in another way")
    increasing(first)
    return first


def _extreme_back(at: Place, change: Map) -> Sequence[Map]:
    increasing(change)
    return [change] * len(at.inputs)


ROWS: dict[str, Row] = {
    "concat": Row(_joined, _parted),
    "add": _summed(lambda count: [1.0] * count),
    "sub": _summed(lambda count: [1.0] + [-1.0] * (count - 1)),
    "mean": _summed(lambda count: [1 / count] * count, is_mean=True),
    **dict.fromkeys(("max", "min"), Row(_extreme, _extreme_back)),
}
"""The ops by their kind."""
