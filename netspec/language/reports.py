"""Reports and collects mistakes, and the calls and loops that led to them. Knows nothing of graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from netspec.diagnostics import Diagnostic, Note, SpecError
from netspec.language.values import POISON, Frame, Poisoned
from netspec.limits import Limits
from netspec.source import Span


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
        self._trace: list[Callable[[], Note]] = []

    def report(self, error: SpecError) -> None:
        """Keep what is wrong, with the way that led here; the first mistake of a place counts."""
        for diagnostic in error.diagnostics:
            trace = tuple([note() for note in reversed(self._trace[-8:])])
            span = diagnostic.span
            key = (diagnostic.id, diagnostic.message) if span is None else (span.start, span.end)
            self.found.setdefault(key, diagnostic._replace(trace=trace))
        if len(self.found) >= self.limits.errors and not isinstance(error, OverLimit):
            raise OverLimit()

    @contextmanager
    def reporting(self, frame: Frame | None = None) -> Iterator[None]:
        """Report what goes wrong inside, and go on with a poisoned tensor."""
        try:
            yield
        except OverLimit as stop:
            self.report(stop)
            raise
        except SpecError as error:
            self.report(error)
        except Poisoned:
            pass
        except RecursionError:
            # No other recursion follows a spec: only lists that are built within lists do.
            raise OverLimit(
                Diagnostic("over-limit", "a list holds lists too many levels deep")
            ) from None
        else:
            return
        if frame is not None:
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
