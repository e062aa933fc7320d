"""What fits on a line, and how it is broken where it does not. Knows nothing of the language's grammar.

A piece of text is a list of parts: strings, which stay on their line, and nodes, which may take several. Every
node knows how it reads on one line (`flat`), or that it cannot: it is too long, holds a comment, or stood on
several lines before. Whatever is broken here is found broken, and left so, when it is formatted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Protocol, TypeAlias

from netspec.format.page import STEP, WIDTH, Page
from netspec.format.words import Comment, Gap


class Node(Protocol):
    """A part that may take several lines."""

    @property
    def flat(self) -> str | None:
        """How it reads on one line, or None where it cannot."""

    @property
    def head(self) -> int:
        """The columns that it needs on the line where it begins."""

    def write(self, page: Page, tail: int) -> None:
        """Write it; `tail` columns follow its end on the same line."""


Part: TypeAlias = str | Node


def flat(parts: Sequence[Part]) -> str | None:
    """The parts on one line, or None where they cannot stand on one."""
    texts = []
    width = 0
    for part in parts:
        text = part if isinstance(part, str) else part.flat
        if text is None:
            return None
        width += len(text)
        if width > WIDTH:
            return None
        texts.append(text)
    return "".join(texts)


def _head(parts: Sequence[Part], tail: int, start: int = 0) -> int:
    """The columns up to the first place where the line can end."""
    width = 0
    for index in range(start, len(parts)):
        part = parts[index]
        if not isinstance(part, str):
            return width + part.head
        width += len(part)
    return width + tail


def write(page: Page, parts: Sequence[Part], tail: int = 0) -> None:
    """Write parts one after another; `tail` columns follow them."""
    for index, part in enumerate(parts):
        if isinstance(part, str):
            page.write(part)
        else:
            part.write(page, _head(parts, tail, index + 1))


class Remark:
    """Comments between words: the next word begins a line."""

    flat = None
    head = 0

    def __init__(self, comments: Sequence[Comment]) -> None:
        self.comments = comments

    def write(self, page: Page, _: int) -> None:
        """Write the comments."""
        page.comment(self.comments, page.level + STEP)


class Segment:
    """A step, a term, an item or a statement, with what stood before it."""

    def __init__(self, gap: Gap, parts: list[Part]) -> None:
        self.gap = gap
        self.parts = parts

    @cached_property
    def flat(self) -> str | None:
        """The segment on one line."""
        return None if self.gap.comments else flat(self.parts)

    def needs(self, indent: int, tail: int) -> int:
        """The columns wanted on a line: for all of it if a line of its own takes it, else for its head."""
        if self.flat is not None and indent + len(self.flat) + tail <= WIDTH:
            return len(self.flat) + tail
        return _head(self.parts, tail)


def _joined(segments: Sequence[Segment], separator: str) -> list[Part]:
    parts: list[Part] = []
    for index, segment in enumerate(segments):
        parts += [separator, *segment.parts] if index else segment.parts
    return parts


class Fill:
    """Segments that fill lines: steps before arrows, terms before operators, results after commas.

    A line ends where it did before, and where the next segment does not fit but would on a line of
    its own. One that fits on no line begins where there is room for its head.
    """

    def __init__(
        self, segments: Sequence[Segment], before: str = "", after: str = "", offset: int = STEP
    ) -> None:
        self.segments = segments
        self.before = before
        self.after = after
        self.offset = offset
        self.head = _head(segments[0].parts, len(after))
        self.flat: str | None = None
        if not any(segment.gap.newline for segment in segments[1:]):
            self.flat = flat(_joined(segments, f"{after} {before}"))

    def write(self, page: Page, tail: int) -> None:
        """Write the segments; lines after the first are indented by the offset."""
        last = len(self.segments) - 1
        indent = page.level + self.offset
        for index, segment in enumerate(self.segments):
            after = tail if index == last else len(self.after)
            if index:
                page.write(self.after)
                page.comment(segment.gap.comments, indent)
                width = 1 + len(self.before) + segment.needs(indent + len(self.before), after)
                if segment.gap.newline or not page.has_room(width):
                    page.newline(indent)
                page.write(f" {self.before}")
            write(page, segment.parts, after)


class Parentheses:
    """Brackets around one thing. Optional ones are only written where the line is too short."""

    head = 1

    def __init__(self, brackets: str, parts: Sequence[Part], optional: bool = False) -> None:
        self.opening, self.closing = brackets[0], brackets[1]
        self.parts = parts
        self.flat = flat(parts) if optional else flat([self.opening, *parts, self.closing])

    def write(self, page: Page, tail: int) -> None:
        """Write the brackets and what they hold."""
        if self.flat is not None and page.has_room(len(self.flat) + tail):
            page.write(self.flat)
            return
        page.write(self.opening)
        write(page, self.parts, tail + 1)
        page.write(self.closing)


class Rows:
    """Items between brackets. A line end after the opening bracket keeps the rows as they were.

    Otherwise items that do not fit on the line get rows: one each, or shared where all are plain.
    """

    head = 1

    def __init__(
        self,
        brackets: str,
        items: Sequence[Segment],
        comments: Sequence[Comment],
        comma: bool = False,  # after a single item, for it to be a list
    ) -> None:
        self.opening, self.closing = brackets[0], brackets[1]
        self.items = items
        self.comments = comments
        self.comma = "," if comma else ""
        self.kept = len(items) > 1 and items[0].gap.newline
        self.commented = bool(comments) or any(item.gap.comments for item in items)
        self.flat: str | None = None
        if not self.kept and not self.commented:
            inner = _joined(items, ", ")
            self.flat = flat([self.opening, *inner, self.comma, self.closing])

    def write(self, page: Page, tail: int) -> None:
        """Write the items on the line, or in rows between the brackets."""
        if self.flat is not None and page.has_room(len(self.flat) + tail):
            page.write(self.flat)
            return
        page.write(self.opening)
        if self._hugs():
            write(page, self.items[0].parts, tail + 1)
            page.write(self.closing)
            return
        base, level = page.indent, page.level
        page.level = base + STEP
        for index, item in enumerate(self.items):
            self._item(page, index, item)
        page.comment(self.comments, page.level, first=not self.items)
        page.level = level
        page.newline(base)
        page.write(self.closing)

    def _hugs(self) -> bool:
        """Whether a single item in brackets of its own shares its lines with these."""
        if len(self.items) != 1 or self.comma or self.commented:
            return False
        *others, last = self.items[0].parts
        return isinstance(last, Rows) and all(isinstance(part, str) for part in others)

    def _item(self, page: Page, index: int, item: Segment) -> None:
        page.comment(item.gap.comments, page.level, first=index == 0)
        begins_row = item.gap.newline if self.kept else not self._plain
        if index and not begins_row and page.has_room(1 + item.needs(page.level, 1)):
            page.write(" ")
        else:
            page.newline(page.level, item.gap.blank and index > 0 and self.kept)
        write(page, item.parts, 1)
        page.write(",")

    @cached_property
    def _plain(self) -> bool:
        return all(isinstance(part, str) for item in self.items for part in item.parts)


class Branch(NamedTuple):
    """Statements between braces, or between `|`, and the comments before that `|`."""

    comments: Sequence[Comment]
    statements: Sequence[Segment]


class Braces:
    """Statements in branches. What stood on one line stays on one if it fits."""

    head = 1

    def __init__(
        self, branches: Sequence[Branch], comments: Sequence[Comment], broken: bool
    ) -> None:
        self.branches = branches
        self.comments = comments
        self.flat = None if broken else self._on_one_line()

    def _on_one_line(self) -> str | None:
        parts: list[Part] = ["{"]
        for index, branch in enumerate(self.branches):
            if index:
                parts.append(" |")
            if branch.statements:
                parts += [" ", *_joined(branch.statements, "; ")]
        empty = len(parts) == 1
        return flat([*parts, "}" if empty else " }"])

    def write(self, page: Page, tail: int) -> None:
        """Write the braces on the line, or in lines of their own."""
        if self.flat is not None and page.has_room(len(self.flat) + tail):
            page.write(self.flat)
        else:
            self.write_lines(page)

    def write_lines(self, page: Page) -> None:
        """Write each statement on a line; `|` stands in the columns of the indentation."""
        page.write("{")
        base, level = page.indent, page.level
        page.level = base + STEP
        for index, branch in enumerate(self.branches):
            if index:
                page.comment(branch.comments, base, first=not self.branches[index - 1].statements)
                page.newline(base)
                page.write("|")
                page.indent = page.level
            write_statements(page, branch.statements, marked=index > 0)
        page.comment(self.comments, page.level, first=not self.branches[-1].statements)
        page.level = level
        page.newline(base)
        page.write("}")


def write_statements(page: Page, statements: Sequence[Segment], marked: bool = False) -> None:
    """Statements from the next line on; after a mark, from this one on."""
    for index, statement in enumerate(statements):
        comments, _, blank = statement.gap
        if marked and index == 0:
            if comments:
                page.comment([comments[0]._replace(alone=False), *comments[1:]], page.level)
            else:
                page.write(" ")
                write(page, statement.parts)
                continue
        else:
            page.comment(comments, page.level, first=index == 0)
        page.newline(page.level, blank and (index > 0 or bool(comments)))
        write(page, statement.parts)


class Conditional:
    """An `if` with its bodies, which stand on one line together or not at all."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.flat = flat(parts)
        self.head = _head(parts, 0)

    def write(self, page: Page, tail: int) -> None:
        """Write the conditions and the bodies."""
        if self.flat is not None and page.has_room(len(self.flat) + tail):
            page.write(self.flat)
            return
        for index, part in enumerate(self.parts):
            if isinstance(part, Braces):
                part.write_lines(page)
            elif isinstance(part, Remark):  # before `else`
                page.comment(part.comments, page.indent)
                page.newline(page.indent)
            else:
                write(page, [part], _head(self.parts, tail, index + 1))
