"""Whether one wrong word explains all that is wrong with a text. Loaded only where there are several mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from netspec.diagnostics import Diagnostic
from netspec.language.lexer import PARTNER
from netspec.source import Source, Span

LONGEST = 20_000
"""Characters of a text for which this is tried: what a person writes, and a dozen times to read it."""

_NEAR = 200
"""Characters in which the word before a mistake is looked for."""

_BRACKETS = (*PARTNER, *PARTNER.values())
_WORDS = ("", ",", "=", "x", *_BRACKETS)
_LAST_WORD = re.compile(r"(\w+|\S)\s*\Z", re.ASCII)


def is_the_only_one(
    mistake: Diagnostic, source: Source, is_right: Callable[[Source], bool]
) -> bool:
    """Whether the text is right with another word, a bracket more or none at the place of a mistake.

    A bracket that is missing or wrong unsettles all that follows. Where mending one place makes the whole
    text right, the other mistakes are its consequences.
    """
    if len(source.text) > LONGEST:
        return False
    # Of a bracket that is not closed the note says where that showed.
    places = [mistake.span, *(note.span for note in mistake.notes)]
    texts = (text for span in places if span for text in _mended(span, source.text))
    return any(is_right(Source(source.name, text)) for text in texts)


def _mended(mistake: Span, text: str) -> Iterator[str]:
    """The text with something else at the place of the mistake, or for the word before it."""
    for word in _WORDS:
        yield f"{text[: mistake.start]} {word} {text[mistake.end :]}"
    for place in {mistake.start: None, mistake.end: None}:
        for bracket in _BRACKETS:
            yield f"{text[:place]} {bracket} {text[place:]}"
    if last := _LAST_WORD.search(text, max(0, mistake.start - _NEAR), mistake.start):
        for word in _WORDS:
            yield f"{text[: last.start()]} {word} {text[last.end(1) :]}"
