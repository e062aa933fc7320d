"""What holds of every valid program, and of every text. Imports no framework."""

from __future__ import annotations

import random

import netspec
from fuzz.networks import LIMITS, graph_of
from netspec.backend import load_backend
from netspec.compiler import load_json
from netspec.diagnostics import SpecError
from netspec.format import format_source
from netspec.passes.validate import validate
from netspec.render import render
from netspec.source import Source

_SPELT = (
    "conv dense relu add { } ( ) [ ] | ; -> @ @x = += , . : ? # 3 1x7 0.5 let for in if else repeat "
    "block net @.c a{i}: use out share not ** // -1"
)
WORDS = [*_SPELT.split(), "\n", " ", '"', "\0", "é", "\\"]


def check_program(text: str) -> str | None:
    """What is wrong with what becomes of a valid program, or None."""
    graph = graph_of(text)
    validate(graph)
    formatted = format_source(Source("fuzz.net", text), LIMITS)
    if graph_of(formatted) != graph:
        return "formatting changes the graph"
    if format_source(Source("fuzz.net", formatted), LIMITS) != formatted:
        return "formatting again changes the text"
    if load_json(graph.to_json()) != graph:
        return "the graph is another one when it is read back"
    for target in ("torch", "keras"):
        try:
            first, second = (load_backend(target).emit(graph, None) for _ in range(2))
        except SpecError as error:
            if {d.id for d in error.diagnostics} - {"unsupported", "name-clash", "reserved-name"}:
                return f"{target} says {error}"
            continue
        if first != second:
            return f"{target} emits another text the second time"
    return None


def check_any_text(text: str) -> None:
    """Whatever a text is, nothing but `SpecError` comes out, and it can be shown."""
    try:
        netspec.parse(text, name="fuzz.net", limits=LIMITS)
    except SpecError as error:
        render(error.diagnostics, colour=True)
    try:
        format_source(Source("fuzz.net", text), LIMITS)
    except SpecError as error:
        render(error.diagnostics)


def mutated(text: str, chance: random.Random) -> str:
    """The text with a few of its pieces replaced, dropped, doubled or exchanged."""
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(text) + 1), chance.randint(0, 8)
        other = chance.randrange(len(text) + 1)
        new = chance.choice(
            ["", chance.choice(WORDS), text[other : other + 9], chr(chance.randrange(400))]
        )
        text = text[:at] + new + text[at + length :]
    return text


def soup(chance: random.Random) -> str:
    """Words of the language in any order."""
    return "".join(
        chance.choice(WORDS) + chance.choice(["", " "]) for _ in range(chance.randint(0, 40))
    )


def noise(chance: random.Random) -> str:
    """Bytes, as a file may hold them where they are text."""
    return chance.randbytes(chance.randint(0, 60)).decode("latin-1")
