"""The canonical form: what it is, that it keeps the tree and every comment, and that it is its own canonical form."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec import tree
from netspec.diagnostics import SpecError
from netspec.expand import expand
from netspec.format import format_source
from netspec.format.layout import WIDTH
from netspec.lexer import Token
from netspec.limits import DEFAULT
from netspec.ops import find
from netspec.source import Source, Span
from netspec.syntax import parse, read_tokens
from tests.programs import programs

ROOT = Path(__file__).parent.parent
CASES = sorted((Path(__file__).parent / "format").glob("*.out.net"))
EXAMPLES = sorted((ROOT / "examples").glob("*.net"))
BLOCKS = [
    pytest.param(found[1], id=f"{name}:{page.count(chr(10), 0, found.start()) + 1}")
    for name in ("grammar/language.md", "README.md")
    for page in [(ROOT / name).read_text()]
    for found in re.finditer(r"^```net(?:spec)?(?: [^\n]*)?\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
]


def formatted(text: str) -> str:
    return format_source(Source("t.net", text))


def meaning(node: Any, aliases: bool = True) -> Any:
    """A tree without its places, and with an op's own name for each of its names."""
    if isinstance(node, (Span, Source)):
        return None
    if isinstance(node, tree.Invoke) and aliases and (op := find(node.name.name)) is not None:
        node = node._replace(name=node.name._replace(name=op.kind))
    if isinstance(node, tuple):
        return (type(node).__name__, *(meaning(child, aliases) for child in node))
    return type(node), node


def understood(text: str) -> Any:
    return meaning(parse(Source("t.net", text)))


def words(text: str) -> list[Token]:
    return list(read_tokens(Source("t.net", text), DEFAULT, 0, len(text)))


def comments(text: str) -> list[str]:
    """The comments of a text, in order, found between its words."""
    found: list[str] = []
    end = 0
    for token in words(text):
        stop = len(text) if token.type == "$END" else token.start
        found += (comment.rstrip() for comment in re.findall(r"#[^\n]*", text[end:stop]))
        end = token.end
    return found


def check(text: str) -> str:
    """All that formatting promises of any text; the result."""
    result = formatted(text)
    assert understood(result) == understood(text)
    assert comments(result) == comments(text)
    assert formatted(result) == result
    assert "\n\n\n" not in result
    assert not re.search(r"[ \t\r]\n|\A\n|\n\n\Z|\{\n\n|\n\n *\}", result)
    return result
