"""Comments that silence rules: `# netspec: ignore[id]` and `# netspec: ignore-file[id]`. Knows no rules."""

from __future__ import annotations

import re
from typing import NamedTuple

from netspec.language.syntax import read_tokens
from netspec.limits import DEFAULT, Limits
from netspec.source import Source, Span

# Compiled where a text has such comments, which most have not.
_COMMENT = r"#[^\n]*"
_DIRECTIVE = r"#\s*netspec:\s*(.*)"
_IGNORE = r"(ignore|ignore-file)\s*\[([^\]\n]*)\]"


class Word(NamedTuple):
    """One id or family between the brackets."""

    text: str
    span: Span


class Ignore:
    """One comment: what it names, the line it speaks of (None for the file), and what it silenced.

    A comment that says nothing understandable has no words.
    """

    def __init__(self, span: Span, words: tuple[Word, ...], line: int | None) -> None:
        self.span = span
        self.words = words
        self.line = line
        self.silenced: set[str] = set()


def read_ignores(source: Source, limits: Limits = DEFAULT) -> list[Ignore]:
    """The comments of a text that begin with `netspec:`."""
    if "netspec:" not in source.text:
        return []
    found = []
    end = 0
    for token in read_tokens(source, limits, 0, len(source.text)):
        stop = len(source.text) if token.type == "$END" else token.start
        for comment in re.compile(_COMMENT).finditer(source.text, end, stop):
            directive = re.match(_DIRECTIVE, comment[0])
            if directive is not None:
                found.append(_ignore(source, comment, directive))
        end = token.end
    return found


def _ignore(source: Source, comment: re.Match[str], directive: re.Match[str]) -> Ignore:
    span = Span(source, comment.start(), comment.start() + len(comment[0].rstrip()))
    content = re.match(_IGNORE, directive[1])
    if content is None:
        return Ignore(span, (), None)
    start = comment.start() + directive.start(1) + content.start(2)
    words = tuple(
        Word(word[0], Span(source, start + word.start(), start + word.end()))
        for word in re.finditer(r"[^\s,]+", content[2])
    )
    line = None if content[1] == "ignore-file" else source.place(comment.start())[0]
    return Ignore(span, words, line)
