"""The words of a text one after another, with what stands between them: comments and line ends. Knows no grammar."""

import re
from typing import NamedTuple

from netspec.language.lexer import Token
from netspec.language.syntax import read_tokens
from netspec.limits import Limits
from netspec.source import Source


class Comment(NamedTuple):
    """A comment with its `#`: alone on its line, or after other words; perhaps below a blank line."""

    text: str
    alone: bool
    blank: bool


class Gap(NamedTuple):
    """What stands before a word: comments, a line end, a blank line directly before it."""

    comments: tuple[Comment, ...]
    newline: bool
    blank: bool


NOTHING = Gap((), False, False)
_COMMENT = re.compile(r"#[^\n]*")


def merged(before: Gap, after: Gap) -> Gap:
    """The gaps on both sides of a separator that is about to move to one end of them."""
    comments = after.comments
    if before.newline and comments:  # the separator began the line that the comment ends
        comments = (comments[0]._replace(alone=True), *comments[1:])
    return Gap(
        before.comments + comments, before.newline or after.newline, before.blank or after.blank
    )


class Words:
    """A cursor over a range of a text. Every word and every gap is handed out once."""

    def __init__(self, source: Source, limits: Limits, begin: int, stop: int) -> None:
        self._text = source.text
        self._begin, self._stop = begin, stop
        found = read_tokens(source, limits, begin, stop)
        self._tokens = [token for token in found if token.type != "_END"]
        self._index = 0
        self._taken = False
        self.comments = 0  # handed out so far

    @property
    def next(self) -> Token:
        """The word that comes next, `$END` at the end."""
        return self._tokens[self._index]

    def take(self) -> str:
        """The text of the next word. Its gap, if nobody has asked for it, is passed over."""
        self._index += 1
        self._taken = False
        return self._tokens[self._index - 1].text

    def gap(self) -> Gap:
        """What stands before the next word; nothing if it has been asked for already."""
        if self._taken:
            return NOTHING
        self._taken = True
        before = self._tokens[self._index - 1] if self._index else None
        start = self._begin if before is None else before.end
        stop = self._stop if self.next.type == "$END" else self.next.start
        if self._text.find("\n", start, stop) < 0 and self._text.find("#", start, stop) < 0:
            return NOTHING
        comments = []
        position = start
        for found in _COMMENT.finditer(self._text, start, stop):
            lines = self._text.count("\n", position, found.start())
            alone = lines > 0 or position == self._begin
            comments.append(Comment(found[0].rstrip(), alone, lines > 1))
            position = found.end()
        self.comments += len(comments)
        return Gap(tuple(comments), True, self._text.count("\n", position, stop) > 1)
