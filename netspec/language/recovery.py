"""Goes on after a mistake in the text, at the next statement. Knows the automaton's stacks, nothing of its rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic, SpecError
from netspec.language import tree
from netspec.language.brackets import Faults
from netspec.language.lexer import Token
from netspec.language.reports import in_order
from netspec.limits import Limits
from netspec.source import Source, Span

STATEMENT = "_statement"
"""The symbol that a broken statement is taken for."""

_BINDING = re.compile(
    r"\b(?:let|share)\b([^={}]*)|(?<![\w@])(@?\w+(?:\s*,\s*@?\w+)*)[\s,]*\+?=|^\s*(@\w+)"
    r"|^\s*\w+\s+(\w+)\s*[({]",
    re.ASCII,
)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


_EXAMINED = 2_000
"""Characters of a broken statement in which the names that it binds are looked for."""

_DECLARATIONS = {"block", "net", "use"}


class Stacks(NamedTuple):
    """For each symbol on the automaton's stack its state, its value, where it starts, and its depth."""

    states: list[int]
    values: list[Any]
    starts: list[int]
    depths: list[int]

    def push(self, state: int, value: Any, start: int) -> None:
        """Put a symbol on top."""
        for stack, item in zip(self, (state, value, start, 0), strict=True):
            stack.append(item)

    def drop_statement(self, gotos: list[dict[str, int]]) -> int | None:
        """Take off what has begun since a statement could; where that began, or None if nothing has."""
        start, closed = None, 0
        while closed or STATEMENT not in gotos[self.states[-1]]:
            kind = getattr(self.values[-1], "type", "")
            closed += {"RBRACE": 1, "LBRACE": -1}.get(kind, 0)
            start = self.starts[-1]
            for stack in self:
                stack.pop()
        return start


class Recovery:
    """All mistakes of one text. One is reported for each statement, and none where a bracket explains it.

    Not seen are mistakes behind another in one statement, and in the braces of a header that is wrong.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.passed_over: frozenset[int] = frozenset()
        self.found: list[Diagnostic] = []
        self.is_sound = True
        """Whether what was understood says enough of the rest for other mistakes to be looked for."""
        self._braces_are_wrong = False
        self._explaining: set[int] = set()
        """Where brackets stand of which statements were dropped."""

    def pass_over(self, faults: Faults) -> None:
        """Report what is wrong with brackets, and take no notice of these from here on."""
        self.passed_over = faults.passed_over
        self.is_sound = not faults.diagnostics
        self._braces_are_wrong = any(d.span and d.span.text in "{}" for d in faults.diagnostics)
        for diagnostic in faults.diagnostics:
            self.report(diagnostic)

    def report(self, *diagnostics: Diagnostic) -> None:
        """Keep these mistakes. Raises SpecError where a limit is reached."""
        self.found.extend(diagnostics)
        if len(self.found) >= self.limits.errors or any(d.id == "over-limit" for d in diagnostics):
            raise SpecError(*diagnostics)

    def mistakes(self, first: Diagnostic, limit: SpecError | None = None) -> list[Diagnostic]:
        """All that was found, in the order of the text, and the limit at which reading ended.

        The `first` mistake was found without passing over anything: at its place it says the most.
        """
        found = {d.span and d.span.start: d for d in self.found}
        if limit is not None:
            found.update((d.span and d.span.start, d) for d in limit.diagnostics)
        if limit is not None or (first.span and first.span.start in found):
            found[first.span and first.span.start] = first
        return in_order(found.values())[: self.limits.errors]

    def resume(
        self,
        error: SpecError,
        start: int,
        token: Token,
        rest: Iterator[Token],
        stacks: Stacks,
        gotos: list[dict[str, int]],
        takes: Callable[[str], bool],
    ) -> tuple[Token, Token]:
        """Report, drop the statement, and skip to what may follow it: the last token of it, and the next.

        The statement begins at `start`, or where the stacks say. `takes` says whether a terminal may come
        next with the stacks as they are.
        """
        explained = self._is_explained(token)
        begun = stacks.drop_statement(gotos)
        start = start if begun is None else begun
        stacks.push(gotos[stacks.states[-1]][STATEMENT], None, start)
        token_text, last, braces = token.text, token, 0
        while braces or not (
            token.type in ("_END", "VBAR", "RBRACE", "$END") and takes(token.type)
        ):
            braces += {"LBRACE": 1, "RBRACE": -1}.get(token.type, 0)
            last, token = token, next(rest)
        span = Span(self.source, start, max(start, min(last.end, token.start)))
        if not explained:
            self._drop_consequences(token_text, span)
            self.report(*error.diagnostics)
        text = span.text[:_EXAMINED]
        bound = " ".join(name for names in _BINDING.findall(text) for name in names)
        stacks.values[-1] = tree.Broken(frozenset(_NAME.findall(bound)), span)
        if text != span.text or not _DECLARATIONS.isdisjoint(_NAME.findall(text)):
            self.is_sound = False
        return last, token

    def _drop_consequences(self, unexpected: str, span: Span) -> None:
        """Of a statement that makes no sense, a stray bracket is no mistake of its own; nor is its brace missed.

        The span may begin with other statements, which stand together on the stack: the brackets that were their
        mistakes stay.
        """
        inside = [d for d in self.found if d.span and span.start <= d.span.start < span.end]
        stray = (d for d in inside if d.id == "unmatched-bracket")
        dropped = [d for d in stray if d.span and d.span.start not in self._explaining]
        if unexpected == "{":
            braces = (d for d in self.found if d.span and d.span.text == "{" and d not in inside)
            dropped += [d for d in braces if d.id == "unclosed-bracket"][:1]
        self.found = [diagnostic for diagnostic in self.found if diagnostic not in dropped]

    def _is_explained(self, token: Token) -> bool:
        """Whether a mistake that is reported already made this one."""
        if token.type == "ERROR":
            self._explaining.add(token.start)
            return True
        return self._braces_are_wrong and token.type in ("VBAR", "ELSE", "BLOCK", "NET", "USE")
