"""Lines as they are written, and comments beside them. Knows nothing of what is broken where, or why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from netspec.format.words import Comment

WIDTH = 100
STEP = 2  # columns of indentation
NEIGHBOURS = 3  # lines from one comment to the next, for the two to be aligned

_MARKS = re.compile(r"^$|^\|$|^[\])}]|[\[({]$")


class _Line(NamedTuple):
    indent: int
    code: str
    comment: str | None

    @property
    def column(self) -> int:
        """Where a comment stands that is aligned with no other."""
        if not self.code:
            return self.indent
        return self.indent + len(self.code) + (1 if self.code == "|" else 2)


class Page:
    """Lines as they are written. `level` is the indentation of the statement or row that is being written."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []
        self._pieces: list[str] = []
        self._comment: str | None = None
        self._begin = 0  # the column of the line's first word
        self.column = 0
        self.indent = 0  # to which braces that open on the line will close
        self.level = 0

    def write(self, text: str) -> None:
        """Add to the line; after a comment, to a new one."""
        if self._comment is not None:
            self.newline(self.level + STEP)
        if not self._pieces:
            text = text.lstrip(" ")
        if text:
            self._pieces.append(text)
            self.column += len(text)

    def has_room(self, width: int) -> bool:
        """Whether the line takes so many columns more."""
        return self._comment is None and self.column + width <= WIDTH

    def newline(self, indent: int, blank: bool = False) -> None:
        """Begin a line, perhaps below a blank one. A line with nothing on it only moves."""
        if self._pieces or self._comment is not None:
            code = "".join(self._pieces).rstrip(" ")
            self._lines.append(_Line(self._begin, code, self._comment))
            self._pieces, self._comment = [], None
        if blank:
            self._lines.append(_Line(0, "", None))
        self._begin = self.indent = self.column = indent

    def comment(self, comments: Sequence[Comment], indent: int, first: bool = False) -> None:
        """Comments: after the code where they stood so, else on lines of their own.

        The first of a body has no blank line above it.
        """
        for index, comment in enumerate(comments):
            if comment.alone or not self._pieces or self._comment is not None:
                self.newline(indent, comment.blank and not (first and index == 0))
            self._comment = comment.text

    def text(self) -> str:
        """All lines; comments after code stand in one column with those of neighbouring lines."""
        self.newline(0)
        texts = []
        for line, column in zip(self._lines, _columns(self._lines), strict=True):
            code = " " * line.indent + line.code
            texts.append(code if line.comment is None else code.ljust(column) + line.comment)
        return "".join(text + "\n" for text in texts)


def _columns(lines: Sequence[_Line]) -> list[int]:
    """Where the comment of each line begins: in one column with its neighbours', if all fit there.

    Blank lines and comments on lines of their own part neighbours; where brackets begin or end has none.
    """
    columns = [line.column for line in lines]
    run: list[int] = []

    def align() -> None:
        column = max((columns[index] for index in run), default=0)
        if all(column + len(lines[index].comment or "") <= WIDTH for index in run):
            for index in run:
                columns[index] = column
        run.clear()

    for index, line in enumerate(lines):
        if not line.code or (run and index - run[-1] > NEIGHBOURS):
            align()
        if line.comment is not None and not _MARKS.search(line.code):
            run.append(index)
    align()
    return columns
