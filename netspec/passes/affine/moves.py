"""Ops that move or select elements: an affine map moves with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.ops.grouping import Grouping
from netspec.passes.affine.maps import Map
from netspec.passes.affine.rows import Place, Row, lettered, one
from netspec.shape import Shape

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")


def _regroups(grouping: Callable[[Place], Grouping]) -> Row:
    def forth(at: Place, change: Map) -> Map:
        found = grouping(at)
        return change.moved(lambda values: _regrouped(values, found))

    def back(at: Place, change: Map) -> Map:
        left, right, sizes = grouping(at)
        return change.moved(lambda values: _regrouped(values, Grouping(right, left, sizes)))

    return one(forth, back)


def _regrouped(values: Array, grouping: Grouping) -> Array:
    """The values taken apart, reordered and joined; axes of size 1 stay so where nothing else needs them."""
    left, right, sizes = grouping
    split = {
        name: sizes[name] if extent > 1 else 1
        for group, extent in zip(left, values.shape, strict=True)
        for name in group
    }
    names, wanted = list(split), list(chain(*right))
    both = [names.index(name) for name in wanted if name in split]
    alone = tuple(
        i for i in range(len(names)) if i not in both
    )  # of size 1, as all that one side lacks
    moved = values.reshape(tuple(split.values())).transpose(*both, *alone)
    whole = {
        name: sizes[name] if any(split.get(each, 1) > 1 for each in group) else 1
        for group in right
        for name in group
    }
    apart = moved.reshape([split.get(name, 1) for name in wanted])
    spread = np.broadcast_to(apart, [whole[name] for name in wanted])
    return spread.reshape([prod(whole[name] for name in group) for group in right])


def _named(x: Shape) -> dict[str, int]:
    return dict(zip(x.axes, x.sizes, strict=True))


def _apart(axes: str) -> tuple[tuple[str, ...], ...]:
    return tuple((letter,) for letter in axes)


def _flattening(x: Shape) -> Grouping:
    return Grouping(_apart(x.axes), (tuple(x.axes),), _named(x))


def _permutation(at: Place) -> Grouping:
    (x,) = at.inputs
    return Grouping(_apart(x.axes), _apart(at.output.axes), _named(x))


def _reshaped(change: Map, given: Shape, wanted: Shape) -> Map:
    """The elements keep their order."""
    left, right, sizes = _flattening(wanted)
    row = change.moved(lambda values: _regrouped(values, _flattening(given)))
    return row.moved(lambda values: _regrouped(values, Grouping(right, left, sizes)))


def _selects(positions: Callable[[Any, str, int], Any]) -> Row:
    """An op that keeps some positions along axes, or all in another order."""

    def chosen(at: Place, change: Map) -> Iterable[tuple[int, Any]]:
        (x,) = at.inputs
        for axis, letter in enumerate(x.axes):
            if change.extent(axis) > 1:
                found = positions(at.op, letter, x.sizes[axis])
                if found is not None:
                    yield axis, np.asarray(found)

    def forth(at: Place, change: Map) -> Map:
        for axis, found in chosen(at, change):
            change = change.moved(
                lambda values, axis=axis, found=found: (  # type: ignore[misc]
                    values.take(found, axis) if values.shape[axis] > 1 else values
                )
            )
        return lettered(change, at.inputs[0].axes, at.output.axes)

    def back(at: Place, change: Map) -> Map:
        (x,) = at.inputs
        change = lettered(change, at.output.axes, x.axes)
        for axis, found in chosen(at, change):
            change = Map(
                _placed(change.scale, 1.0, axis, x.sizes[axis], found),
                _placed(change.shift, 0.0, axis, x.sizes[axis], found),
                change.known,
            )
        return change

    return one(forth, back)


def _placed(values: Array, other: float, axis: int, size: int, positions: Array) -> Array:
    """A longer axis with the values at these positions, and the others at all other ones."""
    shape = list(values.shape)
    shape[axis] = size
    whole = np.full(shape, other)
    np.moveaxis(whole, axis, 0)[positions] = np.moveaxis(values, axis, 0)
    return whole


def _sliced(op: Any, letter: str, size: int) -> Any:
    return range(size)[op.start : op.stop : op.step] if letter == op.axis else None


def _taken(op: Any, letter: str, size: int) -> Any:
    del size
    return [op.index] if letter == op.axis else None


def _flipped(op: Any, letter: str, size: int) -> Any:
    return range(size)[::-1] if letter in op.axes else None


def _rolled(op: Any, letter: str, size: int) -> Any:
    shift = dict(op.shifts).get(letter)
    return None if shift is None else np.roll(np.arange(size), shift)


_GROUPED = "rearrange squeeze unsqueeze tokens untokens windows unwindows shuffle pixel_shuffle pixel_unshuffle"

ROWS: dict[str, Row] = {
    **dict.fromkeys(_GROUPED.split(), _regroups(lambda at: at.op.grouping(at.inputs[0]))),
    "permute": _regroups(_permutation),
    "flatten": _regroups(lambda at: _flattening(at.inputs[0])),
    "reshape": one(
        lambda at, change: _reshaped(change, at.inputs[0], at.output),
        lambda at, change: _reshaped(change, at.output, at.inputs[0]),
    ),
    "slice": _selects(_sliced),
    "take": _selects(_taken),
    "flip": _selects(_flipped),
    "roll": _selects(_rolled),
}
"""The ops by their kind."""
