"""Diagnostics as SARIF 2.1.0, OASIS's format for static analysis. Knows nothing of where they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from netspec.diagnostics import Diagnostic, Fix, Note
from netspec.explain import find
from netspec.source import Position


def to_sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """A log of one run, with a rule for each id that occurs."""
    ids = sorted({diagnostic.id for diagnostic in diagnostics})
    driver = {
        "name": "netspec",
        "version": version("netspec-compiler"),
        "rules": [_rule(id_) for id_ in ids],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, ids) for diagnostic in diagnostics],
    }
    log = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2)


def _rule(id_: str) -> dict[str, Any]:
    page = find(id_)
    assert page is not None, f"{id_} has no page"
    return {
        "id": id_,
        "shortDescription": {"text": page.summary},
        "fullDescription": {"text": page.why},
        "defaultConfiguration": {"level": "warning" if page.family else "error"},
    }


def _result(diagnostic: Diagnostic, ids: Sequence[str]) -> dict[str, Any]:
    position = diagnostic.place
    text = diagnostic.message + (f"\n{diagnostic.help}" if diagnostic.help else "")
    places = dict.fromkeys((*diagnostic.notes, *diagnostic.trace))  # each once, as the format asks
    result: dict[str, Any] = {
        "ruleId": diagnostic.id,
        "ruleIndex": ids.index(diagnostic.id),
        "level": diagnostic.severity,
        "message": {"text": text},
        "locations": [] if position is None else [{"physicalLocation": _location(position)}],
        "relatedLocations": [_related(note) for note in places if note.span is not None],
    }
    if diagnostic.fix is not None:
        result["fixes"] = [_fix(diagnostic.fix)]
    return result


def _related(note: Note) -> dict[str, Any]:
    assert note.span is not None
    return {
        "physicalLocation": _location(note.span.position),
        "message": {"text": note.message},
    }


def _fix(fix: Fix) -> dict[str, Any]:
    """All edits of a fix stand in one file."""
    replacements = [
        {"deletedRegion": _region(edit.span.position), "insertedContent": {"text": edit.text}}
        for edit in fix.edits
    ]
    artifact = _artifact(fix.edits[0].span.source.name)
    return {
        "description": {"text": fix.message},
        "artifactChanges": [{"artifactLocation": artifact, "replacements": replacements}],
    }


def _location(position: Position) -> dict[str, Any]:
    return {"artifactLocation": _artifact(position.file), "region": _region(position)}


def _artifact(file: str) -> dict[str, str]:
    """A path as a URI: relative ones stay so, which is how code hosts find them."""
    path = Path(file)
    return {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}


def _region(position: Position) -> dict[str, int]:
    """1-based, the end column exclusive, as everywhere."""
    return {
        "startLine": position.line,
        "startColumn": position.column,
        "endLine": position.end_line,
        "endColumn": position.end_column,
    }
