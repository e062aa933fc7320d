"""Which rules apply to a file: the command line over `[tool.netspec]`. Knows no rule and no text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from functools import cache
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.lint.rule import matching, selectors

_KEYS = ("select", "ignore", "per-file-ignores")

_MAY_CONFIGURE = rb"""\btool["']?[ \t]*(\.[ \t]*["']?netspec\b|\]|=)"""
"""What TOML with a table `tool.netspec` has somewhere: `tool.netspec`, a table `[tool]`, or `tool = {...}`."""


class BadConfiguration(SpecError):
    """Not a spec is wrong, but what was asked of the linter."""


class Configuration(NamedTuple):
    """What a `[tool.netspec]` says. Patterns are relative to its folder."""

    folder: str = ""
    select: tuple[str, ...] = ("all",)
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()


def rules_for(
    path: str | None, select: Sequence[str] | None, ignore: Sequence[str]
) -> frozenset[str]:
    """The ids of the rules for a file, None for a text without one.

    `select` takes the place of what is configured, `ignore` adds to it; what is ignored wins. Raises
    `BadConfiguration`.
    """
    folder = os.path.dirname(os.path.realpath(path)) if path is not None else os.getcwd()
    found = configuration(folder)
    chosen = _ids(select if select is not None else found.select, "--select")
    dropped = _ids(ignore, "--ignore") | _ids(found.ignore, "ignore")
    if path is not None:
        relative = os.path.relpath(os.path.realpath(path), found.folder or folder)
        for pattern, words in found.per_file_ignores:
            if fnmatch(relative, pattern) or fnmatch(os.path.basename(path), pattern):
                dropped |= _ids(words, "per-file-ignores")
    return chosen - dropped


def _ids(words: Sequence[str], where: str) -> frozenset[str]:
    """The ids that a list of words stands for."""
    found: frozenset[str] = frozenset()
    for word in words:
        ids = matching(word)
        if not ids:
            raise BadConfiguration(_no_rule(word, where))
        found |= ids
    return found


def _no_rule(word: str, where: str) -> Diagnostic:
    from netspec.explain import find

    page = find(word)
    message = f"`{where}` names `{word}`, which is {'no lint rule' if page is None else 'an error'}"
    if page is not None:
        help_ = "errors are always reported: only lint rules are selected and ignored"
    else:
        help_ = did_you_mean(word, selectors()) or "`netspec explain` lists the rules"
    return Diagnostic("unknown-rule", message, help=help_)


@cache
def configuration(folder: str) -> Configuration:
    """The nearest `[tool.netspec]` of a folder or one above it. Raises `BadConfiguration`."""
    path = os.path.join(folder, "pyproject.toml")
    if os.path.isfile(path):
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            raise _bad(path, f"it cannot be read: {error.strerror}") from None
        if re.search(_MAY_CONFIGURE, content):  # a parser takes time to import
            table = _table(path, content)
            if table is not None:
                return _read(path, folder, table)
    above = os.path.dirname(folder)
    return Configuration() if above == folder else configuration(above)


def _table(path: str, content: bytes) -> Mapping[str, Any] | None:
    import tomllib

    try:
        found = tomllib.loads(content.decode())
    except ValueError as error:
        raise _bad(path, f"it is not TOML: {error}") from None
    tool = found.get("tool")
    table = tool.get("netspec") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise _bad(path, "`tool.netspec` is not a table")
    return table


def _read(path: str, folder: str, table: Mapping[str, Any]) -> Configuration:
    for key in table:
        if key not in _KEYS:
            known = ", ".join(f"`{each}`" for each in _KEYS)
            help_ = did_you_mean(key, _KEYS) or f"there are {known}"
            raise _bad(path, f"`[tool.netspec]` has no key `{key}`", help_)
    per_file = table.get("per-file-ignores", {})
    if not isinstance(per_file, dict):
        raise _bad(path, "`per-file-ignores` is not a table of patterns")
    found = Configuration(
        folder,
        _words(path, "select", table.get("select", ["all"])),
        _words(path, "ignore", table.get("ignore", [])),
        tuple((pattern, _words(path, pattern, words)) for pattern, words in per_file.items()),
    )
    for words in (found.select, found.ignore, *(words for _, words in found.per_file_ignores)):
        _ids(words, os.path.relpath(path))
    return found


def _words(path: str, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise _bad(path, f"`{key}` is not a list of rules", 'write `["unused", "softmax-of-one"]`')
    return tuple(value)


def _bad(path: str, message: str, help: str | None = None) -> BadConfiguration:  # noqa: A002
    message = f"{os.path.relpath(path)}: {message}"
    return BadConfiguration(Diagnostic("bad-configuration", message, help=help))
