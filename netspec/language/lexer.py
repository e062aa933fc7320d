"""Text -> tokens. Knows where blanks and newlines matter; nothing of the grammar's rules."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, Note, SpecError
from netspec.language.habits import SIGNS
from netspec.limits import Limits, exceeded
from netspec.source import Source, Span

# What is one mistake: a text in quotes that are none, and an operator of two characters.
_STRAY = re.compile(r"'[^'\n]*'|&&")
PARTNER = {"(": ")", "[": "]", "{": "}"}
OPEN = {"LPAR", "LSQB", "LBRACE", "_CALL", "_INDEX"}
CLOSE = {"RPAR", "RSQB", "RBRACE"}
_BRACKETS = OPEN | CLOSE

# A newline ends no statement before these, nor after those; after what has just begun, `;` ends none either.
CONTINUES = {"_ARROW", "VBAR", "RBRACE", "ELSE", "$END", "_END"}
BEGUN = {"", "_END", "LBRACE", "VBAR"}
UNFINISHED = BEGUN | {"_ARROW", "COMMA", "_ASSIGN", "_COLLECT", "LABEL"}

# After these, a glued bracket belongs to what stands before it, and a `-` is a subtraction.
OPERANDS = {"NAME", "TENSOR", "AT", "INT", "FLOAT", "SIZES", "STRING", "DYNAMIC", "RPAR", "RSQB"}
OPERANDS |= {"TRUE", "FALSE", "NONE"}


class Token(NamedTuple):
    """A word of the language: the terminal's name in the grammar, and where it stands."""

    type: str
    text: str
    start: int
    end: int


def tokens(
    source: Source,
    pattern: re.Pattern[str],
    words: Mapping[str, str],
    limits: Limits,
    begin: int,
    stop: int,
    count: int = 0,
    report: Callable[[Diagnostic], None] | None = None,
    passed_over: Collection[int] = (),
) -> Iterator[Token]:
    """The tokens of a range of a source, `$END` last; `count` is how many came before.

    Raises SpecError, for brackets too. With `report` what cannot be read is reported and becomes an
    `ERROR`, as do the brackets at the offsets in `passed_over`.
    """
    text = source.text
    match = pattern.match
    opened: list[Token] = []
    position, newline, previous = begin, False, Token("", "", begin, begin)
    longest = limits.word
    while position < stop:
        found = match(text, position, stop)
        if found is None or found.lastgroup is None:
            start, position = position, _end_of_unreadable(source, position, report)
            inside_braces = not opened or opened[-1].type == "LBRACE"
            if newline and inside_braces and previous.type not in UNFINISHED:
                yield Token("_END", "\n", previous.end, previous.end)
            newline, previous = False, Token("ERROR", text[start:position], start, position)
            yield previous
            continue
        kind, start, position = found.lastgroup, position, found.end()
        value = found[0]
        if kind == "BLANK":
            newline = newline or "\n" in value
            continue
        if kind == "NAME":
            kind = words.get(value, kind)
        if position - start > longest:
            message = f"a word of {position - start:,} characters"
            raise SpecError(exceeded("word", limits, message, Span(source, start, start + 1)))
        glued = previous.end == start and previous.type in OPERANDS
        if kind == "LPAR" and glued and previous.type == "NAME":
            kind = "_CALL"
        elif kind == "LSQB" and glued:
            kind = "_INDEX"
        elif kind == "MINUS" and not glued and not text[position : position + 1].isspace():
            kind = "NEG"
        if start in passed_over:
            kind = "ERROR"
        token = Token(kind, value, start, position)
        inside_braces = not opened or opened[-1].type == "LBRACE"
        if newline and inside_braces and _ends(previous, kind):
            previous = Token("_END", "\n", previous.end, previous.end)
            yield previous
        newline = False
        if kind == "_END" and not inside_braces:
            raise SpecError(unclosed(source, opened[-1], token))
        if kind == "_END" and previous.type in BEGUN:
            continue
        if kind in _BRACKETS:
            _nest(source, opened, token, limits)
        count += 1
        if count > limits.tokens:
            message = f"the text has more than {limits.tokens:,} words"
            raise SpecError(exceeded("tokens", limits, message, _span(source, token)))
        previous = token
        yield token
    if opened:
        raise SpecError(unclosed(source, opened[-1], None))
    end = previous.end
    yield Token("$END", "", end, end)


def _end_of_unreadable(
    source: Source, position: int, report: Callable[[Diagnostic], None] | None
) -> int:
    """Where what cannot be read ends, once it is reported. Raises SpecError where nobody takes reports."""
    mistake = unreadable(source, position)
    if report is None:
        raise SpecError(mistake)
    report(mistake)
    assert mistake.span is not None
    return mistake.span.end


def _nest(source: Source, opened: list[Token], token: Token, limits: Limits) -> None:
    """Put an opening bracket on the stack of those that are open, or take off the one that a closing one closes.

    Raises SpecError where it closes none or another one, and where too many are open.
    """
    if token.type in OPEN:
        opened.append(token)
        if len(opened) > limits.nesting:
            message = f"more than {limits.nesting} brackets within one another"
            raise SpecError(exceeded("nesting", limits, message, _span(source, token)))
        return
    if not opened:
        raise SpecError(unmatched(source, token))
    opener = opened.pop()
    if PARTNER[opener.text] != token.text:
        raise SpecError(unclosed(source, opener, token))


def _ends(before: Token, after: str) -> bool:
    """Whether a newline ends a statement. A bracket that is passed over still has its rows."""
    return (
        before.type not in UNFINISHED and before.text not in ("(", "[") and after not in CONTINUES
    )


def _span(source: Source, token: Token) -> Span:
    return Span(source, token.start, token.end)


def unmatched(source: Source, closer: Token) -> Diagnostic:
    """What to say of a closing bracket without an opening one."""
    return Diagnostic("unmatched-bracket", f"`{closer.text}` closes nothing", _span(source, closer))


def unclosed(source: Source, opener: Token, closer: Token | None) -> Diagnostic:
    """What to say of an opening bracket that is missed at another, or at the end of the text."""
    where = "before the end of the text" if closer is None else f"before `{closer.text}`"
    notes = () if closer is None else (Note(f"`{closer.text}` stands here", _span(source, closer)),)
    return Diagnostic(
        "unclosed-bracket",
        f"`{opener.text}` is not closed {where}",
        _span(source, opener),
        label=f"needs a `{PARTNER[opener.text]}`",
        notes=notes,
    )


def unreadable(source: Source, position: int) -> Diagnostic:
    """What to say of a place where no terminal matches."""
    text = source.text
    character = text[position]
    if character == '"':
        end = text.find("\n", position)
        span = Span(source, position, len(text) if end < 0 else end)
        return Diagnostic("unclosed-string", "a string is not closed on its line", span)
    if character.isascii() and character.isdigit():
        run = re.compile(r"[\w.]+", re.ASCII).match(text, position)
        span = Span(source, position, run.end() if run else position + 1)
        return Diagnostic(
            "bad-number",
            f"`{span.text[:40]}` is not a number",
            span,
            help="numbers are written `64`, `0.5`, `1e-3`, and sizes `1x7`",
        )
    run = _STRAY.match(text, position)
    span = Span(source, position, run.end() if run else position + 1)
    shown = span.text[:40] if character.isprintable() else f"U+{ord(character):04X}"
    message = f"`{shown}` means nothing here"
    return Diagnostic("unknown-character", message, span, help=SIGNS.get(character))
