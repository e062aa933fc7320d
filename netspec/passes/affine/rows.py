"""The form of a row: how an affine map passes an op. Knows no op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netspec.backend import need
from netspec.passes.affine.maps import Blocked, Map
from netspec.shape import Shape

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")


class Place(NamedTuple):
    """An op with the tensors around it."""

    op: Any
    inputs: tuple[Shape, ...]
    output: Shape


Forward: TypeAlias = Callable[[Place, Sequence[Map]], Map]
"""From a map of each input to the map of the output that does the same. Raises `Blocked`."""
Backward: TypeAlias = Callable[[Place, Map], Sequence[Map]]
"""From a map of the output to maps of the inputs that do the same. Raises `Blocked`."""


class Row(NamedTuple):
    """How a map passes an op."""

    forward: Forward
    backward: Backward


def one(move: Callable[[Place, Map], Map], back: Callable[[Place, Map], Map]) -> Row:
    """The row of an op of one input."""
    return Row(lambda at, changes: move(at, changes[0]), lambda at, change: (back(at, change),))


def lettered(change: Map, given: str, wanted: str) -> Map:
    """The map of a tensor of other axes: it does not depend on those that come or go."""
    gone = tuple(i for i, letter in enumerate(given) if letter not in wanted)
    left = [letter for letter in given if letter in wanted]

    def move(values: Array) -> Array:
        kept = values.squeeze(gone).transpose([left.index(a) for a in wanted if a in left])
        return np.expand_dims(kept, [i for i, a in enumerate(wanted) if a not in left])

    return change.moved(move)


def increasing(change: Map) -> None:
    """Raise `Blocked` where the map turns the order of values round, or may."""
    if not change.known:
        raise Blocked("lets increasing maps pass, and without weights the signs are not known")
    if not change.is_increasing:
        raise Blocked("lets increasing maps pass, and some scales are not positive")
