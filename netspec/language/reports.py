"""Reports and collects mistakes, and the calls and loops that led to them. Knows nothing of graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from netspec.diagnostics import Diagnostic, Note, SpecError
from netspec.language import tree
from netspec.language.values import POISON, Frame, Poisoned
from netspec.limits import Limits
from netspec.source import Span

if TYPE_CHECKING:
    from netspec.language.doubt import Failed


_OF_NAMES = {"unknown-name", "unknown-op", "unknown-tensor", "unknown-function"}
_PLACES = 3


class OverLimit(SpecError):
    """A limit is reached: expansion stops here."""


def fail(
    id: str,  # noqa: A002 (a diagnostic's word)
    message: str,
    span: Span,
    *,
    label: str = "",
    help: str | None = None,  # noqa: A002
) -> NoReturn:
    """Report one mistake and leave what is being done."""
    raise SpecError(Diagnostic(id, message, span, label, help))


class Reports:
    """What was found so far, one mistake for each place, and how expansion came to where it is."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.found: dict[tuple[object, ...], Diagnostic] = {}
        self._names: dict[tuple[str, str], Span] = {}
        self._repeated = 0
        self._trace: list[Callable[[], Note]] = []

    def report(self, error: SpecError) -> None:
        """Keep what is wrong, with the way that led here; the first mistake of a place counts."""
        for diagnostic in error.diagnostics:
            if self._is_told(diagnostic):
                self._repeated += 1
                continue
            trace = tuple([note() for note in reversed(self._trace[-8:])])
            span = diagnostic.span
            key = (diagnostic.id, diagnostic.message) if span is None else span
            self.found.setdefault(key, diagnostic._replace(trace=trace))
        if len(self.found) + self._repeated >= self.limits.errors and not isinstance(
            error, OverLimit
        ):
            raise OverLimit()

    def _is_told(self, diagnostic: Diagnostic) -> bool:
        """Whether the same name is known to be unknown elsewhere: the first place points to some of the others."""
        if diagnostic.id not in _OF_NAMES or diagnostic.span is None:
            return False
        name = (diagnostic.id, diagnostic.message)
        first = self._names.setdefault(name, diagnostic.span)
        found = self.found.get(first)
        if found is None or found.span == diagnostic.span:
            return False
        note = Note("and here", diagnostic.span)
        if note not in found.notes and len(found.notes) < _PLACES:
            self.found[first] = found._replace(notes=(*found.notes, note))
        return True

    @contextmanager
    def reporting(self, frame: Frame | None = None, about: Failed | None = None) -> Iterator[None]:
        """Report what goes wrong inside, and go on with poison for what this step or `let` should have given."""
        wrong: SpecError | None = None
        try:
            yield
        except OverLimit as stop:
            self.report(stop)
            raise
        except SpecError as error:
            self.report(error)
            wrong = error
        except Poisoned:
            pass
        except RecursionError:
            # No other recursion follows a spec: only lists that are built within lists do.
            raise OverLimit(
                Diagnostic("over-limit", "a list holds lists too many levels deep")
            ) from None
        else:
            return
        if frame is None:
            return
        if about is not None:
            from netspec.language.doubt import doubt

            doubt(frame, about, wrong)
        if not isinstance(about, tree.Let):
            frame.current = POISON

    @contextmanager
    def tracing(self, note: Callable[[], Note]) -> Iterator[None]:
        """Add a note, made when it is needed, to whatever is reported inside."""
        self._trace.append(note)
        try:
            yield
        finally:
            self._trace.pop()

    def error(self) -> SpecError:
        """All that was found, in the order of the text."""
        return SpecError(*in_order(self.found.values()))


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Mistakes by where they stand."""
    return sorted(diagnostics, key=lambda d: d.span.start if d.span else -1)
