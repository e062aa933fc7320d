"""How far the tensors of a target are from the reference's. Knows no target and no limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

from netspec.backend import Step
from netspec.parity.exchange import Arrays
from netspec.weights import Array, np

_VANISHING = 1e-5
"""The part of the network's largest gradient below which that of a whole layer may be rounding."""

_STEP = {"outputs": "output", "gradients": "gradient", "statistics": "statistic"}


class Check(NamedTuple):
    """One tensor against the reference. `quantity` is output, gradient or statistic.

    `absolute` is the largest difference, `relative` the same over the reference's scale. Where
    nothing can be measured both are infinite, and `fault` says why.
    """

    quantity: str
    name: str
    batch: int
    absolute: float
    relative: float
    limit: float
    fault: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the tensor was there, was finite and is close enough."""
        return self.fault is None and self.relative <= self.limit

    @property
    def severity(self) -> float:
        """The error in units of its limit."""
        return self.relative / self.limit if self.fault is None else inf


def check_predictions(
    found: Sequence[Arrays], wanted: Sequence[Arrays], limit: Callable[[str], float]
) -> Iterator[Check]:
    """Every output of every batch, with the limit that its name has.

    An output's scale is its largest value in all batches: a single number may be near zero by
    cancellation, and then its error says nothing when measured against itself.
    """
    scales = {name: max(_largest(arrays[name]) for arrays in wanted) for name in wanted[0]}
    limits = {name: limit(name) for name in scales}
    for given, arrays in zip(found, wanted, strict=True):
        yield from _check_all("output", given, arrays, _batch(arrays), limits, scales)


def check_step(found: Step, wanted: Step, limit: Callable[[str], float]) -> Iterator[Check]:
    """All that a training step gives, with the limit that each quantity has.

    A gradient is measured against the largest one of its layer, or a small part of the network's: that
    of a bias in front of a batch norm is zero in truth, and so is that of all of a layer whose result
    is added there. Rounding must not be compared with rounding.
    """
    for field, quantity in _STEP.items():
        arrays: Arrays = getattr(wanted, field)
        scales = {name: _largest(array) for name, array in arrays.items()}
        if quantity == "gradient":
            least = _VANISHING * max(scales.values(), default=0.0)
            scales = {
                name: max(least, *(scales[of] for of in scales if _layer(of) == _layer(name)))
                for name in scales
            }
        given: Arrays = getattr(found, field)
        limits = dict.fromkeys(arrays, limit(quantity))
        yield from _check_all(quantity, given, arrays, _batch(wanted.outputs), limits, scales)


def _batch(outputs: Arrays) -> int:
    return len(next(iter(outputs.values())))


def _layer(name: str) -> str:
    """The layer that a weight belongs to; an input stands for itself."""
    return name.rpartition(".")[0] or name


def _check_all(
    quantity: str,
    found: Arrays,
    wanted: Arrays,
    batch: int,
    limits: Mapping[str, float],
    scales: Mapping[str, float],
) -> Iterator[Check]:
    for name, reference in wanted.items():
        given = found.get(name)
        fault = _fault(given, reference)
        absolute = relative = inf
        if given is not None and fault is None:
            absolute = _largest(given.astype(np.float64) - reference)
            relative = absolute / scales[name] if scales[name] else absolute and inf
        yield Check(quantity, name, batch, absolute, relative, limits[name], fault)
    for name in found.keys() - wanted.keys():
        yield Check(quantity, name, batch, inf, inf, 0.0, "not a tensor of the network")


def _largest(array: Array) -> float:
    return float(np.abs(array).max(initial=0))


def _fault(found: Array | None, wanted: Array) -> str | None:
    """Why two tensors cannot be compared."""
    if found is None:
        return "missing"
    if found.shape != wanted.shape:
        return f"its shape is {found.shape}, not {wanted.shape}"
    if not wanted.size:
        return "empty"
    if not np.isfinite(wanted).all():
        return "not finite in the reference"
    if not np.isfinite(found).all():
        return "not finite"
    return None
