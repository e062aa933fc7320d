"""How a mistake looks: text, colour, JSON. Every mistake has one in tests/errors."""

import json
import pickle
import re

import pytest

import netspec
from netspec.diagnostics import Diagnostic, Note, SpecError
from netspec.render import render, to_json
from netspec.source import Position, Source, Span


def mark(source: Source, words: str) -> Span:
    start = source.text.index(words)
    return Span(source, start, start + len(words))


LENET = Source(
    "lenet.net", "input 1 28 28\n\n\n\nconv 32 3 -> pool 4\nrelu -> conv 64 7 padding=valid\n"
)
WINDOW = Diagnostic(
    "window-too-large",
    "`conv` looks through a 7 x 7 window at a 4 x 4 input",
    mark(LENET, "7"),
    label="needs at least 7 x 7",
    help="use a window of 4 or less, or `padding=same`",
    notes=(Note("output is 32 x 4 x 4", mark(LENET, "pool 4")),),
)


def test_the_example_of_the_house() -> None:
    assert render([WINDOW]) == (
        "error[window-too-large]: `conv` looks through a 7 x 7 window at a 4 x 4 input\n"
        "  --> lenet.net:6:17\n"
        "  |\n"
        "5 | conv 32 3 -> pool 4\n"
        "  |              ------ output is 32 x 4 x 4\n"
        "6 | relu -> conv 64 7 padding=valid\n"
        "  |                 ^ needs at least 7 x 7\n"
        "  = help: use a window of 4 or less, or `padding=same`\n"
    )


def test_distant_lines_are_set_apart_and_the_way_is_told() -> None:
    diagnostic = Diagnostic(
        "x",
        "y",
        mark(LENET, "relu"),
        notes=(Note("the input", mark(LENET, "input")),),
        trace=(Note("in `f`, called with n = 1", mark(LENET, "pool")), Note("from nowhere")),
    )
    assert render([diagnostic]).splitlines()[3:] == [
        "1 | input 1 28 28",
        "  | ----- the input",
        "...",
        "6 | relu -> conv 64 7 padding=valid",
        "  | ^^^^",
        "  = note: in `f`, called with n = 1 (lenet.net:5:14)",
        "  = note: from nowhere",
    ]


def test_mistakes_without_a_text() -> None:
    position = Position("a.net", 3, 4, 3, 9)
    assert render([Diagnostic("a", "b")]) == "error[a]: b\n"
    assert render([Diagnostic("a", "b", position=position)]) == "error[a]: b\n  --> a.net:3:4\n"
    assert render([]) == ""


def test_an_exception_says_where_it_is_and_how_to_mend_it() -> None:
    with pytest.raises(SpecError) as caught:
        netspec.parse("input 3\ncovn 3", name="a.net")
    line = "a.net:2:1: unknown-op: unknown op `covn` (did you mean `conv`?)"
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value))) == line


def test_several_are_set_apart_by_a_line() -> None:
    assert render([Diagnostic("a", "b"), Diagnostic("c", "d")]) == "error[a]: b\n\nerror[c]: d\n"


def test_colour_adds_nothing_but_colour() -> None:
    coloured = render([WINDOW], colour=True)
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render([WINDOW])


def test_what_a_text_holds_does_not_reach_the_terminal() -> None:
    source = Source("\x1b[2Jevil.net", "dense \x1b[31m4\x07")
    shown = render([Diagnostic("a", "the name `\x1b`", Span(source, 6, 7))], colour=False)
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_tabs_and_spans_of_many_lines_and_ends() -> None:
    source = Source("t.net", "\tdense\t4 {\nrelu\n}")
    whole = render([Diagnostic("a", "b", Span(source, 7, len(source.text)))]).splitlines()
    assert whole[3:] == ["1 | \tdense\t4 {", "  | \t     \t^^^"]
    end = render([Diagnostic("a", "b", Span(source, len(source.text), len(source.text)))])
    assert end.splitlines()[3:] == ["3 | }", "  |  ^"]


def test_long_lines_are_cut() -> None:
    source = Source("t.net", "relu -> " * 100_000 + "covn")
    shown = render([Diagnostic("a", "b", mark(source, "covn"))])
    assert len(shown) < 600
    assert "covn" in shown


def test_json_holds_all_of_it() -> None:
    (plain,) = json.loads(json.dumps(to_json([WINDOW])))
    assert plain == {
        "id": "window-too-large",
        "severity": "error",
        "message": "`conv` looks through a 7 x 7 window at a 4 x 4 input",
        "position": {
            "file": "lenet.net",
            "line": 6,
            "column": 17,
            "end_line": 6,
            "end_column": 18,
        },
        "label": "needs at least 7 x 7",
        "help": "use a window of 4 or less, or `padding=same`",
        "notes": [
            {
                "message": "output is 32 x 4 x 4",
                "position": {
                    "file": "lenet.net",
                    "line": 5,
                    "column": 14,
                    "end_line": 5,
                    "end_column": 20,
                },
            }
        ],
        "trace": [],
        "fix": None,
    }
    assert to_json([Diagnostic("a", "b")])[0]["position"] is None
