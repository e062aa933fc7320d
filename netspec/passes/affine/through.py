"""What an affine map passes through on its way, and how: a row for each op. A new op takes part by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from netspec.dim import UnknownSize
from netspec.ops.base import Op
from netspec.passes.affine import merges, moves, unmoved
from netspec.passes.affine.maps import Blocked, Map
from netspec.passes.affine.rows import Place, Row
from netspec.shape import Shape

ROWS: dict[str, Row] = {**unmoved.ROWS, **moves.ROWS, **merges.ROWS}
"""The ops that let maps pass, by their kind."""

_Passed = TypeVar("_Passed")


def forward(op: Op, inputs: tuple[Shape, ...], output: Shape, changes: Sequence[Map]) -> Map:
    """The map behind an op that stands for maps in front of it. Raises `Blocked`."""
    place = Place(op, inputs, output)
    return _passed(place, lambda row: row.forward(place, changes).compact())


def backward(op: Op, inputs: tuple[Shape, ...], output: Shape, change: Map) -> tuple[Map, ...]:
    """The maps in front of an op that stand for a map behind it. Raises `Blocked`."""
    place = Place(op, inputs, output)
    return _passed(place, lambda row: tuple(m.compact() for m in row.backward(place, change)))


def _passed(place: Place, step: Callable[[Row], _Passed]) -> _Passed:
    kind, several = place.op.kind, len(place.inputs) > 1
    if kind not in ROWS:
        raise Blocked("combines tensors in another way" if several else "is not linear")
    try:
        return step(ROWS[kind])
    except UnknownSize:
        raise Blocked("has sizes that are known only at run time") from None
