"""Ops that an affine map passes as it is, if it passes: drops, averages, maxima, sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from netspec.passes.affine.maps import Blocked, Map
from netspec.passes.affine.rows import Place, Row, increasing, lettered, one

Check: TypeAlias = Callable[[Any, Map, str], None]
"""Raises `Blocked` where an op does not let a map of a tensor of these axes pass."""


def _both(check: Check) -> Row:
    """The row of an op of one input which a map passes as it is, if it passes at all."""

    def forth(at: Place, change: Map) -> Map:
        check(at.op, change, at.inputs[0].axes)
        return lettered(change, at.inputs[0].axes, at.output.axes)

    def back(at: Place, change: Map) -> Map:
        check(at.op, change, at.output.axes)
        return lettered(change, at.output.axes, at.inputs[0].axes)

    return one(forth, back)


def _alike(change: Map, axes: str, over: Iterable[str]) -> None:
    """Raise `Blocked` where the map differs along an axis that the op works over."""
    if any(change.extent(axes.index(letter)) > 1 for letter in over if letter in axes):
        raise Blocked("mixes elements that the map treats differently")


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
    increasing(change)


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
    increasing(change)


def _sums(op: Any, change: Map, axes: str) -> None:
    _reduces(op, change, axes)
    _scale_only(change, "adds the shift several times")


ROWS: dict[str, Row] = {
    **dict.fromkeys(("dropout", "spatial_dropout", "drop_path"), _both(_drops)),
    "alpha_dropout": _both(_alpha_drops),
    **dict.fromkeys(("gap", "adaptive_avgpool", "upsample", "resize", "crop"), _both(_spatial)),
    "avgpool": _both(_averages),
    "pad": _both(_pads),
    **dict.fromkeys(("pool", "adaptive_pool", "gmp"), _both(_maxima)),
    "reduce_mean": _both(_reduces),
    **dict.fromkeys(("reduce_max", "reduce_min"), _both(_reduces_extreme)),
    "reduce_sum": _both(_sums),
}
"""The ops by their kind."""
