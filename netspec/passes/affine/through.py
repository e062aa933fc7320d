"""What an affine map passes through on its way, and how: a row for each op. A new op takes part by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from itertools import accumulate, chain, pairwise
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from netspec.backend import need
from netspec.dim import UnknownSize
from netspec.ops.base import Op
from netspec.ops.grouping import Grouping
from netspec.passes.affine.maps import Blocked, Map
from netspec.shape import Shape

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")

_Passed = TypeVar("_Passed")


class Place(NamedTuple):
    """An op with the tensors around it."""

    op: Any
    inputs: tuple[Shape, ...]
    output: Shape


Forward: TypeAlias = Callable[[Place, Sequence[Map]], Map]
"""From a map of each input to the map of the output that does the same. Raises `Blocked`."""
Backward: TypeAlias = Callable[[Place, Map], Sequence[Map]]
"""From a map of the output to maps of the inputs that do the same. Raises `Blocked`."""


Check: TypeAlias = Callable[[Any, Map, str], None]
"""Raises `Blocked` where an op does not let a map of a tensor of these axes pass."""


class Row(NamedTuple):
    """How a map passes an op."""

    forward: Forward
    backward: Backward


def forward(op: Op, inputs: tuple[Shape, ...], output: Shape, changes: Sequence[Map]) -> Map:
    """The map behind an op that stands for maps in front of it. Raises `Blocked`."""
    return _passed(op, lambda row: row.forward(Place(op, inputs, output), changes).compact())


def backward(op: Op, inputs: tuple[Shape, ...], output: Shape, change: Map) -> tuple[Map, ...]:
    """The maps in front of an op that stand for a map behind it. Raises `Blocked`."""
    place = Place(op, inputs, output)
    return _passed(op, lambda row: tuple(m.compact() for m in row.backward(place, change)))


def _passed(op: Op, step: Callable[[Row], _Passed]) -> _Passed:
    if op.kind not in ROWS:
        raise Blocked("is not linear" if not op.merges else "combines tensors in another way")
    try:
        return step(ROWS[op.kind])
    except UnknownSize:
        raise Blocked("has sizes that are known only at run time") from None


def _one(move: Callable[[Place, Map], Map], back: Callable[[Place, Map], Map]) -> Row:
    """The row of an op of one input."""
    return Row(lambda at, changes: move(at, changes[0]), lambda at, change: (back(at, change),))


def _both(check: Check) -> Row:
    """The row of an op of one input which a map passes as it is, if it passes at all."""

    def forth(at: Place, change: Map) -> Map:
        check(at.op, change, at.inputs[0].axes)
        return _lettered(change, at.inputs[0].axes, at.output.axes)

    def back(at: Place, change: Map) -> Map:
        check(at.op, change, at.output.axes)
        return _lettered(change, at.output.axes, at.inputs[0].axes)

    return _one(forth, back)


def _lettered(change: Map, given: str, wanted: str) -> Map:
    """The map of a tensor of other axes: it does not depend on those that come or go."""
    gone = tuple(i for i, letter in enumerate(given) if letter not in wanted)
    left = [letter for letter in given if letter in wanted]

    def move(values: Array) -> Array:
        kept = values.squeeze(gone).transpose([left.index(a) for a in wanted if a in left])
        return np.expand_dims(kept, [i for i, a in enumerate(wanted) if a not in left])

    return change.moved(move)


def _alike(change: Map, axes: str, over: Iterable[str]) -> None:
    """Raise `Blocked` where the map differs along an axis that the op works over."""
    if any(change.extent(axes.index(letter)) > 1 for letter in over if letter in axes):
        raise Blocked("mixes elements that the map treats differently")


def _increasing(change: Map) -> None:
    if not change.known:
        raise Blocked("lets increasing maps pass, and without weights the signs are not known")
    if not change.is_increasing:
        raise Blocked("lets increasing maps pass, and some scales are not positive")


def _scale_only(change: Map, reason: str) -> None:
    if not change.is_scale:
        raise Blocked(reason)


def _drops(op: Any, change: Map, axes: str) -> None:
    del axes
    if op.always:
        _scale_only(change, "drops elements at inference too")


def _alpha_drops(op: Any, change: Map, axes: str) -> None:
    del change, axes
    if op.always:
        raise Blocked("drops elements at inference too")


def _spatial(op: Any, change: Map, axes: str) -> None:
    """Positions are averaged, moved or repeated; the channels stay apart."""
    del op
    _alike(change, axes, axes.replace("c", ""))


def _averages(op: Any, change: Map, axes: str) -> None:
    _spatial(op, change, axes)
    if op.count_padding and any(op.padding):
        _scale_only(change, "counts its padding as zeros")


def _maxima(op: Any, change: Map, axes: str) -> None:
    _spatial(op, change, axes)
    _increasing(change)


def _pads(op: Any, change: Map, axes: str) -> None:
    _spatial(op, change, axes)
    if op.mode == "constant" and any(op.amount):
        _scale_only(change, "pads with a constant")
        if op.value:
            raise Blocked("pads with a constant")


def _reduces(op: Any, change: Map, axes: str) -> None:
    _alike(change, axes, op.axes)


def _reduces_extreme(op: Any, change: Map, axes: str) -> None:
    _reduces(op, change, axes)
    _increasing(change)


def _sums(op: Any, change: Map, axes: str) -> None:
    _reduces(op, change, axes)
    _scale_only(change, "adds the shift several times")


def _regroups(grouping: Callable[[Place], Grouping]) -> Row:
    def forth(at: Place, change: Map) -> Map:
        found = grouping(at)
        return change.moved(lambda values: _regrouped(values, found))

    def back(at: Place, change: Map) -> Map:
        left, right, sizes = grouping(at)
        return change.moved(lambda values: _regrouped(values, Grouping(right, left, sizes)))

    return _one(forth, back)


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
        return _lettered(change, at.inputs[0].axes, at.output.axes)

    def back(at: Place, change: Map) -> Map:
        (x,) = at.inputs
        change = _lettered(change, at.output.axes, x.axes)
        for axis, found in chosen(at, change):
            change = Map(
                _placed(change.scale, 1.0, axis, x.sizes[axis], found),
                _placed(change.shift, 0.0, axis, x.sizes[axis], found),
                change.known,
            )
        return change

    return _one(forth, back)


def _placed(values: Array, other: float, axis: int, size: int, positions: Array) -> Array:
    """A longer axis with the values at these positions, and the others at all other ones."""
    shape = list(values.shape)
    shape[axis] = size
    whole = np.full(shape, other)
    np.moveaxis(whole, axis, 0)[positions] = np.moveaxis(values, axis, 0)
    return whole


def _sliced(op: Any, letter: str, size: int) -> Any:
    del size
    return range(op.start, op.stop, op.step) if letter == op.axis else None


def _taken(op: Any, letter: str, size: int) -> Any:
    del size
    return [op.index] if letter == op.axis else None


def _flipped(op: Any, letter: str, size: int) -> Any:
    return range(size)[::-1] if letter in op.axes else None


def _rolled(op: Any, letter: str, size: int) -> Any:
    shift = dict(op.shifts).get(letter)
    return None if shift is None else np.roll(np.arange(size), shift)


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


def _summed(factors: Callable[[int], Sequence[float]], is_mean: bool = False) -> Row:
    """A sum of the branches with these factors."""

    def forth(at: Place, changes: Sequence[Map]) -> Map:
        count = len(at.inputs)
        terms = [f * change.shift for f, change in zip(factors(count), changes, strict=True)]
        known = all(change.known for change in changes)
        return Map(_one_scale(changes), reduce(np.add, terms), known)

    def back(at: Place, change: Map) -> Sequence[Map]:
        others = change if is_mean else change.scaling()
        return [change, *[others] * (len(at.inputs) - 1)]

    return Row(forth, back)


def _extreme(at: Place, changes: Sequence[Map]) -> Map:
    del at
    first, *others = changes
    if not all(first.equals(other) for other in others):
        raise Blocked("compares with a branch that is scaled in another way")
    _increasing(first)
    return first


def _extreme_back(at: Place, change: Map) -> Sequence[Map]:
    _increasing(change)
    return [change] * len(at.inputs)


ROWS: dict[str, Row] = {}
"""The ops that let maps pass, by their kind."""

_MOVES = "rearrange squeeze unsqueeze tokens untokens windows unwindows shuffle pixel_shuffle pixel_unshuffle"

ROWS |= dict.fromkeys(("dropout", "spatial_dropout", "drop_path"), _both(_drops))
ROWS |= {"alpha_dropout": _both(_alpha_drops)}
ROWS |= dict.fromkeys(("gap", "adaptive_avgpool", "upsample", "resize", "crop"), _both(_spatial))
ROWS |= {"avgpool": _both(_averages), "pad": _both(_pads)}
ROWS |= dict.fromkeys(("pool", "adaptive_pool", "gmp"), _both(_maxima))
ROWS |= {
    "reduce_mean": _both(_reduces),
    "reduce_max": _both(_reduces_extreme),
    "reduce_min": _both(_reduces_extreme),
    "reduce_sum": _both(_sums),
}
ROWS |= dict.fromkeys(_MOVES.split(), _regroups(lambda at: at.op.grouping(at.inputs[0])))
ROWS |= {
    "permute": _regroups(_permutation),
    "flatten": _regroups(lambda at: _flattening(at.inputs[0])),
    "reshape": _one(
        lambda at, change: _reshaped(change, at.inputs[0], at.output),
        lambda at, change: _reshaped(change, at.output, at.inputs[0]),
    ),
}
ROWS |= {
    "slice": _selects(_sliced),
    "take": _selects(_taken),
    "flip": _selects(_flipped),
    "roll": _selects(_rolled),
}
ROWS |= {
    "concat": Row(_joined, _parted),
    "add": _summed(lambda count: [1.0] * count),
    "sub": _summed(lambda count: [1.0] + [-1.0] * (count - 1)),
    "mean": _summed(lambda count: [1 / count] * count, is_mean=True),
    "max": Row(_extreme, _extreme_back),
    "min": Row(_extreme, _extreme_back),
}
