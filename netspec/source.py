"""Source text and places in it. Knows nothing of the language."""

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a file, as an IR keeps it: 1-based lines and columns, the end exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


def universal_newlines(text: str) -> str:
    """The text with a newline at every end of a line, for which a carriage return counts too, alone or with one."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


class Source:
    """A text and the name it is known by (a path, `<stdin>`, `<string>`), which any output can hold.

    Its lines end in newlines alone, whatever they ended in before.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name.encode(errors="replace").decode()  # a path may be no UTF-8
        self.text = universal_newlines(text)
        self._shown = (0, "")

    @cached_property
    def _starts(self) -> list[int]:
        lines = self.text.split("\n")
        return [0, *accumulate(len(line) + 1 for line in lines[:-1])]

    def place(self, offset: int) -> tuple[int, int]:
        """The 1-based line and column of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its newline. One that is very long is not copied again and again."""
        if self._shown[0] != number:
            start = self._starts[number - 1]
            end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
            self._shown = (number, self.text[start:end])
        return self._shown[1]


class Span(NamedTuple):
    """A half-open range of offsets in a source."""

    source: Source
    start: int
    end: int

    @property
    def position(self) -> Position:
        """Where the span stands, without the text."""
        return Position(
            self.source.name, *self.source.place(self.start), *self.source.place(self.end)
        )

    @property
    def text(self) -> str:
        """The words that the span covers."""
        return self.source.text[self.start : self.end]
