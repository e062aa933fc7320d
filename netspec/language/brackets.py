"""Which brackets of a text have no partner, and where they were missed. Knows nothing of the grammar."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from netspec.diagnostics import Diagnostic
from netspec.language.lexer import PARTNER, Token, unclosed, unmatched, unreadable
from netspec.source import Source

_OPENER = {closer: opener for opener, closer in PARTNER.items()}
_SIGNS = {*PARTNER, *_OPENER, ";"}
_DECLARATIONS = {"block", "net", "use"}


class Faults(NamedTuple):
    """What is wrong with the brackets of a text, and the offsets of those that are to be passed over."""

    diagnostics: list[Diagnostic]
    passed_over: frozenset[int]


def find_faults(source: Source, pattern: re.Pattern[str], begin: int, stop: int) -> Faults:
    """All brackets without a partner.

    A round or square bracket ends with the braces or the statement around it. A brace that is missing is
    missed at the next declaration that begins a line, else at the end of the text.
    """
    signs = list(_signs(source, pattern, begin, stop))
    brackets = [sign for sign in signs if sign.text not in _DECLARATIONS]
    found = _Matching(source)
    found.run(brackets)
    if any(opener.text == "{" for opener in found.open):
        found = _Matching(source)
        found.run(signs)
    return found.faults()


class _Matching:
    """One pass over the brackets of a text, with those that are open."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.open: list[Token] = []
        self._missed: list[tuple[Token, Token | None]] = []
        self._stray: list[Token] = []
        self._silent: set[int] = set()
        self._forgiven: list[tuple[str, int]] = []

    def run(self, signs: list[Token]) -> None:
        for sign in signs:
            if sign.text in PARTNER:
                self.open.append(sign)
            elif sign.text in _OPENER:
                self._close(sign)
            elif sign.text == ";":
                ended = self._end(lambda bracket: bracket.text == "{", sign)
                self._forgiven += [(PARTNER[bracket.text], sign.start) for bracket in ended]
            else:
                self._end(lambda _: False, sign)

    def _close(self, closer: Token) -> None:
        opener = _OPENER[closer.text]
        inside = len(self.open)
        while inside and self.open[inside - 1].text != opener:
            inside -= 1
            if opener != "{" and self.open[inside].text == "{":
                inside = 0
        if inside:
            goal = self.open[inside - 1]
            self._end(lambda bracket: bracket is goal, closer)
            self.open.pop()
        elif late := [each for each in self._forgiven if each[0] == closer.text]:
            # The semicolon is what is wrong: what it parts is one statement.
            self._forgiven.remove(late[-1])
            self._silent.update((closer.start, late[-1][1]))
        else:
            self._stray.append(closer)

    def _end(self, stays: Callable[[Token], bool], missed_at: Token | None) -> list[Token]:
        """Give up the innermost brackets, up to one that stays; of round and square ones one a line is reported."""
        ended: list[Token] = []
        while self.open and not stays(self.open[-1]):
            ended.append(self.open.pop())
        inner = None
        for bracket in ended:
            self._silent.add(bracket.start)
            if bracket.text == "{" or inner is None or not self._share_line(bracket, inner):
                self._missed.append((bracket, missed_at))
            inner = bracket
        return ended

    def _share_line(self, first: Token, second: Token) -> bool:
        return "\n" not in self.source.text[first.start : second.start] and second.text != "{"

    def faults(self) -> Faults:
        """What is left without a partner. A wrong partner within a brace that has none is taken for its own."""
        self._end(lambda _: False, None)
        diagnostics = []
        for opener, missed_at in self._missed:
            wrong = next(
                (b for b in self._stray if opener.text == "{" and b.start > opener.start), None
            )
            if missed_at is None and wrong is not None:
                self._stray.remove(wrong)
                self._silent.add(wrong.start)
                missed_at = wrong
            diagnostics.append(unclosed(self.source, opener, missed_at))
        diagnostics += [unmatched(self.source, bracket) for bracket in self._stray]
        passed_over = self._silent.union(bracket.start for bracket in self._stray)
        return Faults(diagnostics, frozenset(passed_over))


def _signs(source: Source, pattern: re.Pattern[str], begin: int, stop: int) -> Iterator[Token]:
    """Tokens, semicolons, and declarations that begin a line. What cannot be read is passed over."""
    text, position, new_line = source.text, begin, True
    while position < stop:
        found = pattern.match(text, position, stop)
        if found is None:
            mistake = unreadable(source, position)
            position = mistake.span.end if mistake.span else stop
            continue
        word, start, position = found[0], position, found.end()
        if found.lastgroup == "BLANK":
            new_line = new_line or "\n" in word
            continue
        if word in _SIGNS or (new_line and word in _DECLARATIONS):
            yield Token("", word, start, position)
        new_line = False
