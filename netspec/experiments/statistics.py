"""What a few runs can tell: means, intervals, and whether a difference is more than noise. Knows no network."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from statistics import fmean, stdev
from typing import Any, NamedTuple

from netspec.backend import need

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean and its confidence interval of 95 %, by Student's t over so many values."""

    mean: float
    low: float
    high: float
    size: int

    def of_metric(self, metric: str) -> Estimate:
        """The part of the interval where the metric has its values: Student's t knows no bounds."""
        most = 1.0 if metric == "accuracy" else inf
        return self._replace(low=max(self.low, 0.0), high=min(self.high, most))


class Comparison(NamedTuple):
    """How much one set of runs differs from another, run by run, and how often chance alone would do that.

    `p` is two-sided, of the paired t-test; `adjusted` is it after Holm's correction for all comparisons made.
    """

    difference: Estimate
    p: float
    adjusted: float

    @property
    def is_noise(self) -> bool:
        """Whether the difference may well be chance."""
        return self.adjusted >= 1 - CONFIDENCE


def estimate(values: Sequence[float], inflation: float = 0.0) -> Estimate:
    """The mean of these values; `inflation` is added to `1 / count` in the variance of the mean."""
    count, mean = len(values), fmean(values)
    if count < 2:
        return Estimate(mean, float("-inf"), float("inf"), count)
    error = stdev(values) * sqrt(1 / count + inflation)
    reach = float(_t().ppf((1 + CONFIDENCE) / 2, count - 1)) * error
    return Estimate(mean, mean - reach, mean + reach, count)


def p_value(differences: Sequence[float], inflation: float = 0.0) -> float:
    """The chance of a mean at least as far from zero, were it zero.

    Where all differences are equal there is no spread to judge by: then it is that of so many equal signs.
    """
    count, mean = len(differences), fmean(differences)
    if count < 2 or mean == 0:
        return 1.0
    error = stdev(differences) * sqrt(1 / count + inflation)
    if error <= abs(mean) * 1e-12:
        return float(2.0 ** (1 - count))
    return float(2 * _t().sf(abs(mean) / error, count - 1))


def compare(rows: Sequence[Sequence[float]], inflation: float = 0.0) -> list[Comparison]:
    """A comparison for each row of paired differences (Holm, 1979, over all of them).

    For the folds of a cross-validation, whose training parts overlap, `inflation` is the size of a held-out part
    over that of what is learned from (Nadeau and Bengio, 2003).
    """
    values = [p_value(row, inflation) for row in rows]
    return [
        Comparison(estimate(row, inflation), p, corrected)
        for row, p, corrected in zip(rows, values, holm(values), strict=True)
    ]


def holm(values: Sequence[float]) -> list[float]:
    """The p-values, corrected for their number."""
    adjusted, least = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = least
    return adjusted


def _t() -> Any:
    return need("scipy.stats", "train").t
