"""The windows of linear layers as places on a line, and the least window that holds two of them. Knows no op."""

from __future__ import annotations

from math import gcd
from typing import NamedTuple


class Apart(Exception):
    """Why branches stay apart, as the end of a sentence about one of them: `its stride is 2 x 2, not 1 x 1`."""


class Taps(NamedTuple):
    """A window along one axis: `places` of them, `step` apart, the first at `first` from where the window stands.

    `end` is its last tap less the padding behind: the window stands at every `stride`-th place from
    which `end` is still within the input. A transposed layer writes these places, and `end` counts
    the output padding, too.
    """

    first: int
    places: int
    step: int
    stride: int
    end: int

    @classmethod
    def single(cls) -> Taps:
        """The place itself, at each place."""
        return cls(first=0, places=1, step=1, stride=1, end=0)

    @property
    def last(self) -> int:
        """The place of the last tap."""
        return self.first + (self.places - 1) * self.step

    def joined(self, other: Taps) -> Taps:
        """The least window with the taps of both, wherever either stands. Raises `Apart`."""
        if self.stride != other.stride:
            raise Apart(f"one steps by {self.stride}, the other by {other.stride}")
        first, last = min(self.first, other.first), max(self.last, other.last)
        steps = [taps.step for taps in (self, other) if taps.places > 1]
        step = gcd(*steps, self.first - other.first) or 1
        return Taps(first, (last - first) // step + 1, step, self.stride, max(self.end, other.end))

    def within(self, other: Taps) -> slice:
        """Where its taps are among those of a larger window."""
        start, by = (self.first - other.first) // other.step, max(self.step // other.step, 1)
        return slice(start, start + (self.places - 1) * by + 1, by)
