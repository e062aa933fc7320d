"""The standard library: its blocks by name, each parsed when a name first means it. Knows no ops."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from netspec.language import tree
from netspec.language.syntax import parse
from netspec.language.values import Closure, Module
from netspec.source import Source

_HOME = Module()  # sees nothing but ops and the library: what a user defines changes no block of it


def names() -> Iterable[str]:
    """What the library defines."""
    return _places()


def find(name: str) -> Closure | None:
    """The block of that name. Its text is parsed once, and that of blocks that nobody calls never."""
    return _closure(name) if name in _places() else None


@cache
def source() -> Source:
    """The text of the library."""
    path = Path(*import_module("netspec.grammar").__path__, "stdlib.net")
    return Source("<stdlib>", path.read_text("utf-8"))


@cache
def _closure(name: str) -> Closure:
    begin, end = _places()[name]
    (block,) = parse(source(), begin=begin, stop=end).items
    assert isinstance(block, tree.Block)
    return Closure(block, _HOME)


@cache
def _places() -> Mapping[str, tuple[int, int]]:
    """Where each block stands: they begin at the beginnings of lines, and nothing stands between."""
    text = source().text
    found = list(re.finditer(r"^block (\w+)", text, re.MULTILINE))
    ends = [*(match.start() for match in found[1:]), len(text)]
    return {match[1]: (match.start(), end) for match, end in zip(found, ends, strict=True)}
