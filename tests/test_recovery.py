"""Several mistakes in one text: each is told once, at its place, and none that another caused."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netspec
from netspec.diagnostics import Diagnostic, SpecError
from netspec.language.syntax import parse, parse_what_can_be, read_tokens
from netspec.limits import DEFAULT
from netspec.lint import check_source
from netspec.render import render
from netspec.source import Source

MISTAKES = [
    "conv c - 1 3",
    "conv(64, 3)",
    "conv 64, 3",
    "conv 3x3y",
    "conv 1.5.2 -> relu",
    "let = 3",
    "let x = [1 2]",
    "let x = (1 + 2",
    "let x = f(1, [2, 3)",
    "let x = 3]",
    "x = 3",
    "relu -> -> tanh",
    "relu | tanh",
    "relu )",
    'relu "half',
    "relu $ tanh",
    "let for = 3",
    "repeat 2 relu",
    "for i inn range(3) { relu; relu }",
    "if { relu }",
    "add { relu ] | tanh }",
    "add { relu | conv 3, 3 }",
    "add { relu | { conv 3 - 3 } }",
    "residual { conv c 3 3x }",
    "out a=, b=@",
    "@a, = split 2",
    "lay{1 +}: relu",
    "conv 3 stride=1 2",
    "use blocks",
]
"""Statements of one line, each with one mistake in it."""

SOUND = [
    "conv 8 3 padding=1 -> relu",
    "let x = [\n  1,\n  (2 + 3),\n]",
    "@skip = @",
    "add {\n  relu\n  | tanh\n}",
    "repeat 2 { relu; tanh }",
    'let text = "a ( b { c"  # ( [ {',
    "stem.{1 + 1}: relu",
]

Draw = Callable[[st.SearchStrategy[Any]], Any]


BRANCHLESS = [mistake for mistake in MISTAKES if mistake != "relu | tanh"]
"""Mistakes among branches, where a bar is none."""


@st.composite
def wrong_programs(draw: Draw) -> tuple[str, list[int]]:
    """A text, and the lines of the mistakes in it: among sound statements, at the top and in bodies."""
    lines: list[str] = []
    wrong: list[int] = []

    def body(room: int, branches: bool = False) -> None:
        for _ in range(draw(st.integers(0, 4))):
            choice = draw(st.sampled_from(["sound", "wrong", "inside", "sound"]))
            if choice == "wrong":
                wrong.append(len(lines) + 1)
                lines.append(draw(st.sampled_from(BRANCHLESS if branches else MISTAKES)))
            elif choice == "sound" or room == 0:
                lines.extend(draw(st.sampled_from(SOUND)).splitlines())
            else:
                head, end = draw(st.sampled_from(BODIES))
                lines.append(head)
                body(room - 1, head.startswith("add"))
                lines.append(end)

    for _ in range(draw(st.integers(1, 3))):
        lines.append(draw(st.sampled_from(["block f(c, k=3) {", "net g {"])))
        body(2)
        lines.append("}")
    body(2)
    return "\n".join(lines), wrong


BODIES = [
    ("repeat 2 {", "}"),
    ("add { relu |", "}"),
    ("head: {", "} -> relu"),
    ("for i, c in enumerate([1, 2]) {", "}"),
    ("if c == 1 { relu } else {", "}"),
]


def mistakes(text: str) -> Sequence[Diagnostic]:
    limits = DEFAULT._replace(errors=1000)
    try:
        return parse_what_can_be(Source("t.net", text), limits).mistakes
    except SpecError as error:
        return error.diagnostics


def lines_of(found: Sequence[Diagnostic]) -> list[int]:
    return [d.span.position.line for d in found if d.span is not None]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_mistake_is_told_once(mistake: str) -> None:
    text = f"block f {{\n  relu\n  {mistake}\n  tanh\n}}\nf\n{mistake}\nf"
    assert lines_of(mistakes(text)) == [3, 7], render(mistakes(text))


@settings(max_examples=150, deadline=None)
@given(wrong_programs())
def test_each_of_several_mistakes_is_told_once(program: tuple[str, list[int]]) -> None:
    text, wrong = program
    found = mistakes(text)
    assert lines_of(found) == wrong, f"{text}\n\n{render(found)}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("block f {\n  let x = 3]\n  relu\n  relu | tanh\n}", [2, 4]),
        ("block f {\n  relu\n\nblock g {\n  relu,\n}\nnet n { f }", [1, 5]),
        ("block f {\n  add {\n    relu\n  | tanh\n}\nnet n { f )\n}", [1, 6]),
        ("net n {\n  repeat 2 {\n    relu\n  }\n  }\n}\nconv 3, 3", [6, 7]),
        ("let x = [\n  1,\n  2\nrelu\nconv 3, 3", [1, 5]),
        ("add {\n  relu\n | tanh\nrelu\nconv 3, 3", [1, 5]),
        ("if a {\n relu\n else { tanh }\nconv 3, 3", [1, 4]),
        ("block f(c {\n  relu\n}\nconv 3, 3", [1, 4]),
        ("repeat 2 { relu ]\nconv 3, 3", [1, 2]),
        ("relu {\n  conv 3, 3\n  | tanh 3x3y }\n)", [2, 3, 4]),
        ("(1; 2)\nrelu |", [1, 2]),
    ],
)
def test_brackets_without_a_partner(text: str, lines: list[int]) -> None:
    found = mistakes(text)
    assert lines_of(found) == lines, render(found)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("input 8\nlet c, d = 4 4\ndense d -> conv 3 3\nrelux", ["unexpected-token", "unknown-op"]),
        ("input 8\n@a = dense 4 -\nadd { @ | @a }\ndense x", ["bare-operator", "unknown-name"]),
        ("input 8\ndense 3, 4\nconv 3 9\nout @", ["unexpected-token"]),
        ("inptu 8\ninput 8, 8\nrelu -> conv 3 3\n", ["unknown-op", "unexpected-token"]),
        ("input 8\nblock f(c,, d) { conv c }\nf 3 -> relux", ["unexpected-token"]),
        ("net a { input 8, }\nnet b { input 4 -> relux }", ["unexpected-token", "several-nets"]),
        ("input 8\nrelu {\nrelux", ["unclosed-bracket"]),
        ("let x = 3 3\nnet a { input 8 -> dense x -> relux }", ["unexpected-token", "unknown-op"]),
    ],
)
def test_names_and_shapes_are_judged_where_the_text_allows_it(text: str, ids: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        netspec.parse(text)
    assert [d.id for d in caught.value.diagnostics] == ids


def test_no_more_mistakes_are_told_than_the_limit_allows() -> None:
    for separator in ("\n", "; "):
        with pytest.raises(SpecError) as caught:
            parse(Source("t.net", separator.join(["conv 3, 3", "relux $"] * 1000)))
        assert len(caught.value.diagnostics) == DEFAULT.errors
    with pytest.raises(SpecError) as caught:
        netspec.parse("input 8\n" + "".join(f"relux{i}\nconv 3, 3\n" for i in range(20)))
    assert len(caught.value.diagnostics) == DEFAULT.errors


SPELT = "conv relu c x 3 0 none true -> { } ( ) = | @ let ; , 5x5 ? if +"
WORDS = SPELT.split()
EXAMPLES = Path(__file__).parent.parent / "examples"
SOUND_PROGRAMS = [
    (EXAMPLES / f"{name}.net").read_text()
    for name in ("resnet18", "two_tower", "zoo/vit", "zoo/squeezenet", "zoo/lstm_tagger")
]


def with_another_word(text: str, chance: Random) -> str:
    """One word left out, doubled, misspelt or replaced by another of the language."""
    words = [w for w in read_tokens(Source("t.net", text), DEFAULT, 0, len(text)) if w.text.strip()]
    word = chance.choice(words)
    swapped = f"{word.text[1:2]}{word.text[:1]}{word.text[2:]}"
    new = chance.choice(["", f"{word.text} {word.text}", swapped, chance.choice(WORDS)])
    return text[: word.start] + new + text[word.end :]


def test_one_wrong_word_is_told_once() -> None:
    """But for a few in a hundred, where what was meant is anyone's guess: `;` for a name, `=` without its name."""
    chance = Random(7)
    counts = Counter(
        len(check_source(Source("t.net", text), frozenset()).diagnostics)
        for text in (with_another_word(chance.choice(SOUND_PROGRAMS), chance) for _ in range(200))
    )
    wrong = counts.total() - counts[0]
    assert wrong > 150
    assert wrong - counts[1] <= 0.03 * wrong, counts


def test_an_unknown_name_is_told_once_with_its_other_places() -> None:
    with pytest.raises(SpecError) as caught:
        netspec.parse("input 8\ndense width -> relu\ndense width -> dense widht")
    first, second = caught.value.diagnostics
    assert (first.message, second.message) == ("unknown name `width`", "unknown name `widht`")
    assert [note.span and note.span.position.line for note in first.notes] == [3]


@pytest.mark.parametrize(
    "text",
    [
        "let rows = [(1, 2), (3,)]\ninput 8\nfor a, b in rows { dense b }\nfor a, b in rows { relu }",
        "block f(c, k=3) { dense c -> dense (c * k) }\nblock g(d) { f d -> dense (d / 2) }\ninput 8\ng relu",
        "input 8\nlet n = 0\nfor i in [1, 2] + x { let n = n + i }\ndense (8 / n)",
        "net a(x=1) { input 8 }\nnet b = aa x=2\nnet c = b x=3\nnet d = c",
        "block f(c) { dense (c + 0.5) }\nnet a { input 8 -> f 1 }\nnet b { input 8 -> f 2 }",
    ],
)
def test_what_depends_on_a_mistake_is_not_told(text: str) -> None:
    (only,) = check_source(Source("t.net", text), frozenset()).diagnostics
    assert only.severity == "error"


def test_mistakes_travel_between_processes() -> None:
    with pytest.raises(SpecError) as caught:
        parse(Source("t.net", "conv 3, 3\nrelu }"))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is SpecError
    assert str(copy) == str(caught.value)
    assert render(copy.diagnostics) == render(caught.value.diagnostics)
