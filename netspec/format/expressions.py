"""How expressions read: their trees with the words of the text, turned into parts for the layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeAlias, TypeVar

from netspec.format.layout import Fill, Parentheses, Part, Remark, Rows, Segment
from netspec.format.words import NOTHING, Gap, Words, merged
from netspec.language import tree

T = TypeVar("T")

Place: TypeAlias = Literal["whole", "argument", "value", "operand"]
"""Where an expression stands, which decides over parentheses around it.

whole     between brackets, commas or keywords: it needs none
argument  between blanks: what is looser than `*` needs them, and a sign keeps them
value     after `name=`: what is looser than `*` needs them
operand   beside an operator: they stay
"""

_TIGHT = {"", "*", "/", "//", "%", "**"}
_NUMBERS = {"INT", "FLOAT", "SIZES"}


class Expressions:
    """One run over the words of one text, in their order."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._free = False  # within brackets, where a line may end between any two words

    # ---- words ----

    def word(self, parts: list[Part], text: str | None = None) -> None:
        """The next word, or another text in its place, after the comments that stand before it."""
        comments = self.words.gap().comments
        if comments:
            parts.append(Remark(comments))
        taken = self.words.take()
        parts.append(taken if text is None else text)

    def segment(self, rule: Callable[[T, list[Part]], None], value: T) -> Segment:
        """What a rule makes of a value, with the gap before it."""
        gap = self.words.gap()
        parts: list[Part] = []
        rule(value, parts)
        return Segment(gap, parts)

    def commas(self, rule: Callable[[T, list[Part]], None], values: Sequence[T]) -> list[Segment]:
        """Values with commas between them; comments before a comma move behind it."""
        segments: list[Segment] = []
        for value in values:
            before = self._comma() if segments else None
            segment = self.segment(rule, value)
            if before is not None:
                segment.gap = merged(before, segment.gap)
            segments.append(segment)
        return segments

    def rows(
        self,
        rule: Callable[[T, list[Part]], None],
        values: Sequence[T],
        parts: list[Part],
        single: bool = False,
    ) -> None:
        """Values with commas between brackets. The last comma is kept where it makes a `single` a list."""
        self.word(parts)
        opening = parts.pop()
        with self.lines(free=True):
            items = self.commas(rule, values)
            end = self._comma() if self.words.next.type == "COMMA" else None
            gap = self.words.gap()
        comments = gap.comments if end is None else merged(end, gap).comments
        parts.append(Rows(f"{opening}{self.words.take()}", items, comments, single))

    def _comma(self) -> Gap:
        gap = self.words.gap()
        self.words.take()
        return gap

    @contextmanager
    def lines(self, free: bool) -> Iterator[None]:
        """Within brackets a line may end between any two words; within braces not."""
        before, self._free = self._free, free
        yield
        self._free = before

    # ---- expressions ----

    def name_of(self, node: tree.Name) -> str:
        """How a name that stands for a value is written."""
        return node.name

    def whole(self, node: tree.Expression, parts: list[Part]) -> None:
        """An expression that needs no parentheses where it stands."""
        self.expression(node, parts, "whole")

    def expression(self, node: tree.Expression, parts: list[Part], place: Place) -> None:
        """An expression, with the parentheses around it that mean something there."""
        bare = _is_bare(node)
        tight = bare and place in ("argument", "value")
        if not self._opens(node):
            self._plain(node, parts, tight)
            return
        self.word(parts)
        parts.pop()
        inner: list[Part] = []
        opened, seen = 1, self.words.comments
        while self._opens(node):
            self.word(inner, "")
            opened += 1
        with self.lines(free=True):
            self._plain(node, inner, tight)
            for _ in range(opened):
                self.word(inner, "")
        inner = [part for part in inner if part != ""]
        removable = bare and place != "operand" and not (place == "argument" and inner[0] == "-")
        if removable and self.words.comments == seen:
            parts += inner
        else:
            optional = place == "whole" and self.words.comments == seen
            parts.append(Parentheses("()", inner, optional))

    def _opens(self, node: tree.Expression) -> bool:
        """Whether the next word is a parenthesis around the node."""
        return self.words.next.start < node.span.start

    def _plain(self, node: tree.Expression, parts: list[Part], tight: bool) -> None:
        """An expression less the parentheses around it; a tight one has no blanks beside `*`."""
        match node:
            case tree.Items(items):
                single = len(items) == 1 and self.words.next.type == "LPAR"
                self.rows(self.whole, items, parts, single)
            case tree.Comprehension():
                self._bracketed(lambda inner: self._comprehension(node, inner), parts)
            case tree.Call():
                self.word(parts)
                self.rows(self.whole, node.arguments, parts)
            case tree.Attribute():
                number = self.words.next.type in _NUMBERS
                self._operand(node.value, parts, tight)
                if number:
                    parts.append(" ")  # `1.c` is no number
                self.word(parts)
                self.word(parts)
            case tree.Index():
                self._operand(node.value, parts, tight)
                self._bracketed(lambda inner: self.whole(node.key, inner), parts)
            case tree.Unary():
                self.word(parts)
                if node.operator == "not":
                    parts.append(" ")
                self._operand(node.operand, parts, tight)
            case tree.Chain():
                self._chain(node, parts, tight)
            case tree.Choice():
                first: list[Part] = []
                self._operand(node.then, first)
                rest = [
                    self.segment(self._clause, value) for value in (node.condition, node.otherwise)
                ]
                self._clauses(first, rest, parts)
            case tree.Name():
                self.word(parts, self.name_of(node))
            case _:
                text = self.words.next.text
                self.word(parts, text.lower() if self.words.next.type == "FLOAT" else text)

    def _operand(self, node: tree.Expression, parts: list[Part], tight: bool = False) -> None:
        if self._opens(node):
            self.expression(node, parts, "operand")
        else:
            self._plain(node, parts, tight)

    def _chain(self, node: tree.Chain, parts: list[Part], tight: bool) -> None:
        if _operator(node) == "**" or (tight and _operator(node) in _TIGHT):
            self._operand(node.first, parts, tight)
            for _, value in node.rest:
                self.word(parts)
                self._operand(value, parts, tight)
        else:
            first: list[Part] = []
            self._operand(node.first, first)
            rest = [self.segment(self._compared, each) for each in node.rest]
            self._clauses(first, rest, parts)

    def _compared(self, term: tuple[str, tree.Expression], parts: list[Part]) -> None:
        """An operand after its operator, which may be of two words."""
        sign, value = term
        if sign == "not in":
            self.keyword(parts)
        self._clause(value, parts)

    def _comprehension(self, node: tree.Comprehension, parts: list[Part]) -> None:
        first: list[Part] = []
        self._operand(node.item, first)
        rest = [self.segment(self._loop, node)]
        if node.condition is not None:
            rest.append(self.segment(self._clause, node.condition))
        self._clauses(first, rest, parts)

    def _loop(self, node: tree.Comprehension, parts: list[Part]) -> None:
        """`for targets in iterable`."""
        self.keyword(parts)
        self.targets(node.targets, parts)
        parts.append(" ")
        self._clause(node.iterable, parts)

    def _clause(self, node: tree.Expression, parts: list[Part]) -> None:
        """An operand after its operator or keyword."""
        self.keyword(parts)
        self._operand(node, parts)

    def _clauses(self, first: list[Part], rest: list[Segment], parts: list[Part]) -> None:
        """Operands with blanks between them; within brackets a line may end there."""
        if self._free:
            for segment in rest:
                if not segment.gap.comments:
                    segment.gap = NOTHING
            parts.append(Fill([Segment(NOTHING, first), *rest]))
        else:
            parts += first
            for segment in rest:
                if segment.gap.comments:  # before `else`, where a line may end anywhere
                    parts.append(Remark(segment.gap.comments))
                parts += [" ", *segment.parts]

    def _bracketed(self, rule: Callable[[list[Part]], None], parts: list[Part]) -> None:
        """What a rule makes, between square brackets."""
        self.word(parts)
        parts.pop()
        inner: list[Part] = []
        with self.lines(free=True):
            rule(inner)
            self.word(inner)
        inner.pop()
        parts.append(Parentheses("[]", inner))

    def keyword(self, parts: list[Part]) -> None:
        """The next word and a blank."""
        self.word(parts)
        parts.append(" ")

    def targets(self, node: tree.Targets, parts: list[Part]) -> None:
        """The names that a loop or a `let` binds."""
        for index, item in enumerate(node.items):
            if index:
                self.keyword(parts)  # a comma
            if isinstance(item, tree.Name):
                self.word(parts)
            else:
                self.word(parts)
                self.targets(item, parts)
                self.word(parts)


def _is_bare(node: tree.Expression) -> bool:
    """Whether an argument can be this without parentheses."""
    if isinstance(node, tree.Unary):
        return node.operator == "-"
    return not isinstance(node, tree.Choice) and _operator(node) in _TIGHT


def _operator(node: tree.Expression) -> str:
    """The operator of a chain, the first one of several; else nothing."""
    return node.rest[0][0] if isinstance(node, tree.Chain) else ""
