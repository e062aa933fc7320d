"""Text -> tokens. Knows where blanks and newlines matter; nothing of the grammar's rules."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, Note, SpecError
from netspec.limits import Limits, exceeded
from netspec.source import Source, Span

OPEN = {"LPAR": ")", "LSQB": "]", "LBRACE": "}", "_CALL": ")", "_INDEX": "]"}
CLOSE = {"RPAR", "RSQB", "RBRACE"}

# A newline ends no statement before these, nor after those.
CONTINUES = {"_ARROW", "VBAR", "RBRACE", "ELSE", "$END", "_END"}
UNFINISHED = {"", "_END", "LBRACE", "VBAR", "_ARROW", "COMMA", "_ASSIGN", "_COLLECT", "LABEL"}

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
) -> Iterator[Token]:
    """The tokens of a range of a source, `$END` last. Raises SpecError, for brackets too."""
    text = source.text
    match = pattern.match
    opened: list[Token] = []
    position, count, newline, previous = begin, 0, False, Token("", "", begin, begin)
    while position < stop:
        found = match(text, position, stop)
        if found is None or found.lastgroup is None:
            raise SpecError(_unreadable(source, position))
        kind, start, position = found.lastgroup, position, found.end()
        value = found[0]
        if kind == "BLANK":
            newline = newline or "\n" in value
            continue
        if kind == "NAME":
            kind = words.get(value, kind)
        glued = previous.end == start and previous.type in OPERANDS
        if kind == "LPAR" and glued and previous.type == "NAME":
            kind = "_CALL"
        elif kind == "LSQB" and glued:
            kind = "_INDEX"
        elif kind == "MINUS" and not glued and not text[position : position + 1].isspace():
            kind = "NEG"
        token = Token(kind, value, start, position)
        inside_braces = not opened or opened[-1].type == "LBRACE"
        if newline and inside_braces and _ends(previous.type, kind):
            previous = Token("_END", "\n", previous.end, previous.end)
            yield previous
        newline = False
        if kind == "_END" and (previous.type in UNFINISHED or not inside_braces):
            if inside_braces:
                continue
            raise SpecError(_unclosed(source, opened[-1], token))
        if kind in OPEN:
            opened.append(token)
            if len(opened) > limits.nesting:
                message = f"more than {limits.nesting} brackets within one another"
                raise SpecError(exceeded("nesting", limits, message, _span(source, token)))
        elif kind in CLOSE:
            if not opened:
                raise SpecError(
                    Diagnostic(
                        "unmatched-bracket", f"`{value}` closes nothing", _span(source, token)
                    )
                )
            opener = opened.pop()
            if OPEN[opener.type] != value:
                raise SpecError(_unclosed(source, opener, token))
        count += 1
        if count > limits.tokens:
            message = f"the text has more than {limits.tokens:,} words"
            raise SpecError(exceeded("tokens", limits, message, _span(source, token)))
        previous = token
        yield token
    if opened:
        raise SpecError(_unclosed(source, opened[-1], None))
    end = previous.end
    yield Token("$END", "", end, end)


def _ends(before: str, after: str) -> bool:
    return before not in UNFINISHED and after not in CONTINUES


def _span(source: Source, token: Token) -> Span:
    return Span(source, token.start, token.end)


def _unclosed(source: Source, opener: Token, closer: Token | None) -> Diagnostic:
    where = "before the end of the text" if closer is None else f"before `{closer.text}`"
    notes = () if closer is None else (Note(f"`{closer.text}` stands here", _span(source, closer)),)
    return Diagnostic(
        "unclosed-bracket",
        f"`{opener.text}` is not closed {where}",
        _span(source, opener),
        label=f"needs a `{OPEN[opener.type]}`",
        notes=notes,
    )


def _unreadable(source: Source, position: int) -> Diagnostic:
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
    span = Span(source, position, position + 1)
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    return Diagnostic("unknown-character", f"`{shown}` means nothing here", span)
