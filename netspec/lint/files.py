"""Files checked and fixed: their texts, what they use, and the configuration that they stand under. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics import SpecError
from netspec.language.modules import Reader
from netspec.limits import Limits
from netspec.lint.check import Options, Report, check_source, fix_source
from netspec.lint.selection import rules_for
from netspec.source import Source


def check_file(
    source: Source,
    path: str | None,
    options: Options,
    *,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    fix: bool = False,
) -> tuple[Report, int]:
    """The report of a text that stands in a file, or in none, and the number of fixes in the report's text.

    A graph that was saved as JSON is proved to be legal; no rule looks at it. Raises `BadConfiguration`.
    """
    rules = rules_for(path, select, ignore)
    if path is not None and path.endswith(".json"):
        return _check_graph(source, options.limits), 0
    read = None if path is None else _reader(path, source, options.limits)
    if fix:
        return fix_source(source, rules, read, options)
    return check_source(source, rules, read, options), 0


def _check_graph(source: Source, limits: Limits) -> Report:
    from netspec.compiler import load_json

    try:
        return Report(source, (load_json(source.text, source.name, limits),), ())
    except SpecError as error:
        return Report(source, (), tuple(error.diagnostics))


def _reader(path: str, source: Source, limits: Limits) -> Reader:
    """Reads what a file uses. Most use nothing, and a folder takes time to import."""
    folder = None

    def read(used: str, user: Source) -> Source:
        nonlocal folder
        if folder is None:
            from netspec.folder import Folder

            folder = Folder.around(path, source, limits)
        return folder.read(used, user)

    return read
