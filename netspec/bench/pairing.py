"""Things run in turn, round by round, and the ratios of what they took. Knows nothing of what it times.

On a machine that does other work, too, times drift; but what runs side by side drifts together. So the
median of the rounds' ratios says more than the ratio of two medians, and the quartiles say how far
it can be trusted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import quantiles
from typing import NamedTuple, TypeAlias

Run: TypeAlias = Callable[[], float]
"""Runs something once and gives the seconds that it took, or whatever it costs."""


class Spread(NamedTuple):
    """The median of some values, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of one value or more."""
        found = list(values)
        low, median, high = quantiles(found, n=4) if len(found) > 1 else found * 3
        return cls(median, low, high)


def take_turns(runs: Sequence[Run], count: int) -> Iterator[tuple[float, ...]]:
    """What each run took, one tuple for each of `count` rounds.

    The order changes from round to round, so that none always follows the same other one.
    """
    places = list(range(len(runs)))
    for number in range(count):
        first = number // 2 % len(runs)
        order = places[first:] + places[:first]
        taken = {place: runs[place]() for place in (reversed(order) if number % 2 else order)}
        yield tuple(taken[place] for place in places)


def ratios(rounds: Iterable[Sequence[float]], place: int, base: int = 0) -> Spread:
    """What one run took, in units of what another took in the same round."""
    return Spread.of(taken[place] / taken[base] for taken in rounds)


CLOCKS: Mapping[str, Callable[[], float]] = {
    "wall": time.perf_counter,
    "processor": time.process_time,
}
"""What seconds are: those that pass, or those in which the process computes, all its threads added up."""


def timed(function: Callable[[], object], repeat: int = 1, clock: str = "wall") -> Run:
    """A run of the function, in seconds of one of `CLOCKS`; of many runs the mean."""
    now = CLOCKS[clock]

    def run() -> float:
        start = now()
        for _ in range(repeat):
            function()
        return (now() - start) / repeat

    return run
