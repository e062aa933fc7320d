"""Text -> tree: drives the generated tables and builds nodes. Knows nothing of what names mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

from netspec.diagnostics import Diagnostic, SpecError
from netspec.grammar.tables import ENDS, PATTERN, RULES, SPELLINGS, STARTS, STATES, WORDS
from netspec.language import tree
from netspec.language.lexer import Token, tokens
from netspec.language.nodes import Kids, Nodes
from netspec.limits import DEFAULT, Limits, exceeded
from netspec.source import Source, Span

if TYPE_CHECKING:
    from netspec.language.recovery import Recovery


_PATTERN = re.compile(PATTERN, re.ASCII)


def read_tokens(source: Source, limits: Limits, begin: int, stop: int) -> Iterator[Token]:
    """The tokens of a range of a text, `$END` last. Raises SpecError."""
    return tokens(source, _PATTERN, WORDS, limits, begin, stop)


def parse(
    source: Source,
    limits: Limits = DEFAULT,
    begin: int = 0,
    stop: int | None = None,
    words: int = 0,
) -> tree.File:
    """The tree of a text, or of a range of it; `words` were read elsewhere. Raises SpecError with all mistakes."""
    file = parse_what_can_be(source, limits, begin, stop, words)
    if file.mistakes:
        raise SpecError(*file.mistakes)
    return file


def parse_what_can_be(
    source: Source,
    limits: Limits = DEFAULT,
    begin: int = 0,
    stop: int | None = None,
    words: int = 0,
) -> tree.File:
    """The tree of a text whose statements may be broken. Raises SpecError where too little is understood."""
    if len(source.text) > limits.source_bytes:
        message = f"the text has {len(source.text):,} characters"
        raise SpecError(exceeded("source_bytes", limits, message, None))
    end = len(source.text) if stop is None else stop
    _check_length(source, limits, begin, end)
    parser = _Parser(source, limits, words)
    try:
        return tree.File(source, tuple(parser.run("start", begin, end)), parser.words)
    except SpecError as error:
        first = error.diagnostics[0]
        if first.id == "over-limit" or first.span is None:
            raise
    return _recovered(source, limits, begin, end, words, first)


def _check_length(source: Source, limits: Limits, begin: int, stop: int) -> None:
    """Refuse a text of too many words before any of them is understood, which takes ten times as long."""
    if stop - begin > limits.tokens:
        found = _PATTERN.finditer(source.text, begin, stop)
        words = (match.start() for match in found if match.lastgroup != "BLANK")
        place = next(islice(words, limits.tokens, None), None)
        if place is not None:
            message = f"the text has more than {limits.tokens:,} words"
            raise SpecError(exceeded("tokens", limits, message, Span(source, place, place + 1)))


def _recovered(
    source: Source, limits: Limits, begin: int, stop: int, words: int, first: Diagnostic
) -> tree.File:
    """A text read once more, past its mistakes. The `first` of them is known."""
    from netspec.language.brackets import find_faults
    from netspec.language.recovery import Recovery

    recovery = Recovery(source, limits)
    parser = _Parser(source, limits, words, recovery)
    try:
        recovery.pass_over(find_faults(source, _PATTERN, begin, stop))
        items = parser.run("start", begin, stop)
    except SpecError as limit:
        raise SpecError(*recovery.mistakes(first, limit)) from None
    mistakes = recovery.mistakes(first)
    if len(mistakes) > 1 and (begin, stop) == (0, len(source.text)):
        from netspec.language.repair import is_the_only_one

        if is_the_only_one(first, source, partial(_is_right, limits)):
            raise SpecError(first)
    if not recovery.is_sound:
        raise SpecError(*mistakes)
    return tree.File(source, tuple(items), parser.words, tuple(mistakes))


def _is_right(limits: Limits, source: Source) -> bool:
    """Whether a text has no mistake that shows before names are looked up."""
    try:
        _Parser(source, limits).run("start", 0, len(source.text))
    except SpecError:
        return False
    return True


def parse_expression(source: Source, begin: int, limits: Limits = DEFAULT) -> tree.Expression:
    """The expression that stands from an offset to the end of a text."""
    value: tree.Expression = _Parser(source, limits).run("expression", begin, len(source.text))
    return value


def _gather(children: Sequence[Any], kept: Sequence[int]) -> Kids:
    """The kept children, lists spliced in. The first grows in place: long ones stay linear."""
    kids: Kids | None = None
    for index in kept:
        child = children[index]
        if kids is None:
            kids = child if type(child) is Kids else Kids((child,))
        elif type(child) is Kids:
            kids += child
        else:
            kids.append(child)
    return Kids() if kids is None else kids


def _expected(path: Sequence[int]) -> list[str]:
    """The terminals that would be taken here, found by trying: a state alone promises too many."""
    found = []
    for terminal in STATES[path[-1]]:
        if terminal.lstrip("_$").isupper() and _takes(path, terminal):
            found.append(terminal)
    return found


def _takes(path: Sequence[int], terminal: str) -> bool:
    """Whether a terminal may come next."""
    trial = list(path)
    action = STATES[trial[-1]].get(terminal)
    while action is not None and action < 0:
        symbol, length, _, _ = RULES[-1 - action]
        del trial[len(trial) - length :]
        trial.append(STATES[trial[-1]][symbol])
        if trial[-1] in ENDS.values():
            break
        action = STATES[trial[-1]].get(terminal)
    return action is not None


class _Parser(Nodes):
    """One run over one text: the automaton, and what it does after a mistake."""

    def __init__(
        self, source: Source, limits: Limits, words: int = 0, recovery: Recovery | None = None
    ) -> None:
        super().__init__(source, limits)
        self.words = words
        self.recovery = recovery

    def run(self, goal: str, begin: int, stop: int) -> Any:
        """The value of the goal over a range of the text: shift and reduce, without recursion.

        The stacks hold for each symbol its state, its value, where it starts, and its depth.
        """
        states, rules = STATES, RULES
        end_state = ENDS[goal]
        path = [STARTS[goal]]
        values: list[Any] = [None]
        starts, depths = [begin], [0]
        stacks = path, values, starts, depths
        deepest, tallest = 2 * self.limits.nesting, 16 * self.limits.nesting
        before: Token | None = None
        stream = self._tokens(begin, stop)
        for token in stream:
            kind = token.type
            self.words += 1
            while True:
                action = states[path[-1]].get(kind)
                if action is None:
                    error = self._unexpected(token, before, path)
                    before, token = self._resume(goal, error, token, stream, stacks)
                    kind = token.type
                    continue
                if action >= 0:
                    break
                symbol, length, kept, method = rules[-1 - action]
                if method is None and length == 1 and kept:  # passes its child on: most rules do
                    path[-1] = states[path[-2]][symbol]
                    continue
                if length:
                    children = values[-length:]
                    start, depth = starts[-length], max(depths[-length:])
                    del path[-length:], values[-length:], starts[-length:], depths[-length:]
                else:
                    children, start, depth = [], token.start, 0
                if method is not None:
                    end = start if before is None else max(start, before.end)
                    span = Span(self.source, start, end)
                    depth += 1
                    if depth > deepest:
                        self._too_deep(span)
                    try:
                        value = getattr(self, method)(_gather(children, kept), span)
                    except SpecError as wrong:
                        before, token = self._resume(goal, wrong, token, stream, stacks, start)
                        kind = token.type
                        continue
                else:
                    value = children[kept[0]] if len(kept) == 1 else _gather(children, kept)
                state = states[path[-1]][symbol]
                if state == end_state:
                    return value
                path.append(state)
                values.append(value)
                starts.append(start)
                depths.append(depth)
            if len(path) > tallest:
                self._too_deep(Span(self.source, token.start, token.end))
            path.append(action)
            values.append(token)
            starts.append(token.start)
            depths.append(0)
            before = token
        raise AssertionError("the tokens end with $END, which ends the goal")

    def _tokens(self, begin: int, stop: int) -> Iterator[Token]:
        recovery = self.recovery
        report = None if recovery is None else recovery.report
        passed_over = () if recovery is None else recovery.passed_over
        return tokens(
            *(self.source, _PATTERN, WORDS, self.limits, begin, stop, self.words),
            *(report, passed_over),
        )

    def _resume(
        self,
        goal: str,
        error: SpecError,
        token: Token,
        stream: Iterator[Token],
        stacks: tuple[list[int], list[Any], list[int], list[int]],
        start: int | None = None,
    ) -> tuple[Token, Token]:
        """Go on at the next statement, if mistakes are collected: the last token of this one, and the next.

        `start` is where what is wrong began, if it stands on the stacks no more.
        """
        if self.recovery is None or goal != "start":  # what stands in a label is no statement
            raise error
        from netspec.language.recovery import Stacks

        takes = partial(_takes, stacks[0])
        begun = token.start if start is None else start
        found = Stacks(*stacks)
        return self.recovery.resume(error, begun, token, stream, found, STATES, takes)

    def _unexpected(self, token: Token, before: Token | None, path: Sequence[int]) -> SpecError:
        from netspec.language.mistakes import unexpected  # only mistakes need it

        return SpecError(unexpected(self.source, token, before, _expected(path), SPELLINGS))

    def _too_deep(self, span: Span) -> NoReturn:
        message = f"more than {self.limits.nesting} constructs within one another"
        raise SpecError(exceeded("nesting", self.limits, message, span))
