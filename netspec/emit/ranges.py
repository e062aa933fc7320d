"""Slices as they stand in a subscript. Knows nothing of the expressions that they are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """`start:stop:step`, of expressions. An `open` one goes to the end of its axis: a plain `stop` is not written.

    There may be no `stop` in an open one; else it is the size, which other instances of a block may stop before.
    """

    start: Any
    stop: Any
    step: Any = 1
    open: bool = False

    @property
    def ends(self) -> tuple[Any, Any, Any]:
        """Start, stop and step."""
        return self.start, self.stop, self.step

    def with_ends(self, change: Callable[[Any], Any]) -> Range:
        """The range with its ends, from the first to the last, changed."""
        start, stop, step = map(change, self.ends)
        return Range(start, stop, step, self.open)

    def text(self, flat: Callable[[Any], str]) -> str:
        """Without what needs not be said; with blanks around colons where an end is more than a number or a name."""
        start = "" if self.start == 0 else flat(self.start)
        stop = "" if self.open and not isinstance(self.stop, str) else flat(self.stop)
        ends = [start, stop, *([] if self.step == 1 else [flat(self.step)])]
        colon = " : " if any("." in end for end in ends) else ":"
        return colon.join(ends).strip()
