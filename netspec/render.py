"""Diagnostics as text, as JSON and as commands of GitHub's: the only module that knows colour and layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic, Fix, Note
from netspec.source import Source, Span

_RED, _YELLOW, _BLUE, _BOLD, _OFF = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"
_COLOURS = {"error": _RED, "warning": _YELLOW}
_WIDEST = 160


class _Mark(NamedTuple):
    """Something to underline on one line: columns are 1-based, the end exclusive."""

    line: int
    start: int
    end: int
    label: str
    sign: str


def render(diagnostics: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """The diagnostics one after another, ending in a newline."""
    blocks = [(_one(diagnostic), _COLOURS[diagnostic.severity]) for diagnostic in diagnostics]
    painted = (_paint(lines, accent if colour else "") for lines, accent in blocks)
    text = "\n\n".join("\n".join(lines) for lines in painted)
    return text + "\n" if text else ""


def to_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """The diagnostics as plain data, with 1-based lines and columns."""
    return [
        {
            "id": diagnostic.id,
            "severity": diagnostic.severity,
            "message": diagnostic.message,
            "position": None if diagnostic.place is None else diagnostic.place._asdict(),
            "label": diagnostic.label,
            "help": diagnostic.help,
            "notes": [_note(note) for note in diagnostic.notes],
            "trace": [_note(note) for note in diagnostic.trace],
            "fix": None if diagnostic.fix is None else _fix(diagnostic.fix),
        }
        for diagnostic in diagnostics
    ]


def to_github(diagnostics: Iterable[Diagnostic]) -> str:
    """The diagnostics as workflow commands, which GitHub shows beside the changed lines."""
    lines = []
    for diagnostic in diagnostics:
        fields = {"title": f"netspec ({diagnostic.id})"}
        position = diagnostic.place
        if position is not None:
            fields |= {"file": position.file, "line": str(position.line)}
            fields |= {"endLine": str(position.end_line), "col": str(position.column)}
            if position.end_line == position.line:
                fields["endColumn"] = str(position.end_column)
        properties = ",".join(f"{name}={_escape(value, ':,')}" for name, value in fields.items())
        cure = diagnostic.help if diagnostic.fix is None else diagnostic.fix.message
        message = diagnostic.message + (f" ({cure})" if cure else "")
        lines.append(f"::{diagnostic.severity} {properties}::{_escape(message)}\n")
    return "".join(lines)


def _escape(text: str, more: str = "") -> str:
    """What would end a part of a workflow command, as GitHub reads it back."""
    return "".join(f"%{ord(c):02X}" if c in f"%\r\n{more}" else c for c in text)


def _note(note: Note) -> dict[str, Any]:
    place = None if note.span is None else note.span.position._asdict()
    return {"message": note.message, "position": place}


def _fix(fix: Fix) -> dict[str, Any]:
    edits = [{"position": edit.span.position._asdict(), "text": edit.text} for edit in fix.edits]
    return {"message": fix.message, "edits": edits}


def _one(diagnostic: Diagnostic) -> list[tuple[str, str]]:
    """The lines of one diagnostic, each with the role of its beginning."""
    lines = [("head", f"{diagnostic.severity}[{diagnostic.id}]: {_safe(diagnostic.message)}")]
    span, position, margin = diagnostic.span, diagnostic.place, ""
    if position is not None:
        where = f"{_safe(position.file)}:{position.line}:{position.column}"
        marks = [] if span is None else _marks(span, diagnostic)
        margin = " " * len(str(max((mark.line for mark in marks), default=0)))
        lines.append(("place", f"{margin} --> {where}"))
        if span is not None:
            lines.append(("rule", f"{margin} |"))
            lines += _snippet(span.source, marks, len(margin))
    margin = margin or " "
    elsewhere = [note for note in diagnostic.notes if not _in_snippet(note, span)]
    for note in dict.fromkeys(
        (*elsewhere, *diagnostic.trace)
    ):  # each once: a block may call itself
        lines.append(("tail", f"{margin} = note: {_safe(note.message)}{_at(note.span)}"))
    if diagnostic.help:
        lines.append(("tail", f"{margin} = help: {_safe(diagnostic.help)}"))
    if diagnostic.fix is not None:
        lines.append(("tail", f"{margin} = fix: {_safe(diagnostic.fix.message)}"))
    return lines


def _at(span: Span | None) -> str:
    if span is None:
        return ""
    position = span.position
    return f" ({_safe(position.file)}:{position.line}:{position.column})"


def _in_snippet(note: Note, span: Span | None) -> bool:
    return note.span is not None and span is not None and note.span.source is span.source


def _marks(span: Span, diagnostic: Diagnostic) -> list[_Mark]:
    marks = [
        _mark(note.span, note.message, "-")
        for note in diagnostic.notes
        if note.span and _in_snippet(note, span)
    ]
    marks.append(_mark(span, diagnostic.label, "^"))
    return sorted(marks, key=lambda mark: (mark.line, mark.start))


def _mark(span: Span, label: str, sign: str) -> _Mark:
    """The first line of a span."""
    line, start = span.source.place(span.start)
    text = span.source.line(line)
    length = max(1, min(span.end - span.start, len(text) + 1 - start))
    return _Mark(line, start, start + length, _safe(label), sign)


def _snippet(source: Source, marks: Sequence[_Mark], width: int) -> list[tuple[str, str]]:
    """The lines that hold a mark, each followed by its marks; one row a mark where several meet."""
    lines: list[tuple[str, str]] = []
    previous = 0
    for number in dict.fromkeys(mark.line for mark in marks):
        if previous and number > previous + 1:
            lines.append(("rule", "..."))
        previous = number
        here = [mark for mark in marks if mark.line == number]
        text = source.line(number)
        offset = _cut(text, here)
        shown = text[offset : offset + _WIDEST]
        lines.append(("line", f"{number:<{width}} | {_safe(shown)}".rstrip()))
        for mark in here:
            indent = "".join("\t" if c == "\t" else " " for c in shown[: mark.start - 1 - offset])
            signs = mark.sign * min(mark.end - mark.start, max(1, _WIDEST - len(indent)))
            role = "error" if mark.sign == "^" else "rule"
            lines.append((role, f"{'':{width}} | {indent}{signs} {mark.label}".rstrip()))
    return lines


def _cut(text: str, marks: Sequence[_Mark]) -> int:
    """Where to begin a line that is too long to be shown."""
    return 0 if len(text) <= _WIDEST else max(0, min(mark.start for mark in marks) - 41)


def _safe(text: str) -> str:
    """No control characters reach a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def _paint(lines: Iterable[tuple[str, str]], accent: str) -> Iterable[str]:
    """The lines in colour; without an accent they stay as they are."""
    for role, line in lines:
        if not accent:
            yield line
        elif role == "head":
            name, _, message = line.partition(": ")
            yield f"{accent}{name}{_OFF}{_BOLD}: {message}{_OFF}"
        elif role == "error":
            before, bar, after = line.partition("|")
            yield f"{_BLUE}{before}{bar}{_OFF}{accent}{after}{_OFF}"
        elif role == "line":
            before, bar, after = line.partition("|")
            yield f"{_BLUE}{before}{bar}{_OFF}{after}"
        elif role == "tail":
            before, equals, after = line.partition("=")
            yield f"{_BLUE}{before}{equals}{_OFF}{after}"
        else:
            yield f"{_BLUE}{line}{_OFF}"
