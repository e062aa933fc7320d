"""What a user's mistake becomes. Knows nothing of terminals (`render.py`) or of where mistakes are found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from netspec.source import Position, Span

Severity = Literal["error", "warning"]


class Edit(NamedTuple):
    """A text that takes the place of what a span covers."""

    span: Span
    text: str


class Fix(NamedTuple):
    """Edits that together cure a mistake; `message` says in the imperative what they do."""

    message: str
    edits: tuple[Edit, ...]


class Note(NamedTuple):
    """Words beside a second place: where a shape came from, which call led here."""

    message: str
    span: Span | None = None


class Diagnostic(NamedTuple):
    """One mistake: `message` states the fact (lowercase, no full stop), `help` the cure.

    `label` stands under the caret, `notes` point at other places that matter, `trace` is how expansion came here,
    innermost first. A mistake found where the text is no longer at hand has a `position` only. A warning is
    a habit that the linter advises against: what it stands for compiles.
    """

    id: str
    message: str
    span: Span | None = None
    label: str = ""
    help: str | None = None
    notes: tuple[Note, ...] = ()
    trace: tuple[Note, ...] = ()
    position: Position | None = None
    severity: Severity = "error"
    fix: Fix | None = None

    @property
    def place(self) -> Position | None:
        """Where the mistake is, if it is anywhere."""
        return self.position if self.span is None else self.span.position


class SpecError(Exception):
    """The user's input is wrong. Carries one or more diagnostics; anything else that escapes is a bug of netspec."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(*diagnostics)
        self.diagnostics: Sequence[Diagnostic] = diagnostics

    def __str__(self) -> str:
        """A line for each diagnostic, as a traceback shows it; `netspec.render` shows the text, too."""
        return "\n".join(map(_line, self.diagnostics))


def _line(diagnostic: Diagnostic) -> str:
    at = diagnostic.place
    where = "" if at is None else f"{at.file}:{at.line}:{at.column}: "
    cure = f" ({diagnostic.help})" if diagnostic.help else ""
    return f"{where}{diagnostic.id}: {diagnostic.message}{cure}"


_COMPARED, _CANDIDATES = 64, 500
"""Longer words are compared with none, and a word with no more than so many others."""


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A help text that names the closest known word, or None where nothing is close.

    Capitals, `_` and a rank at the end are no difference: `BatchNorm2d` is `batch_norm`.
    """
    from difflib import get_close_matches  # only mistakes need it

    # Comparing takes the product of the lengths, once for each known word.
    if len(word) > _COMPARED:
        return None
    likely = list(islice((k for k in known if abs(len(k) - len(word)) <= len(word)), _CANDIDATES))
    bare = _bare(word)
    close = [each for each in likely if _bare(each) == bare]
    close = close or get_close_matches(word, likely, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else None


def _bare(word: str) -> str:
    """How the frameworks' names and ours are compared."""
    letters = word.lower().replace("_", "")
    return letters[:-2] if letters[-2:] in ("1d", "2d", "3d") else letters
