"""Files that use files: what they see of one another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import netspec
from netspec.diagnostics import Diagnostic, SpecError
from netspec.limits import DEFAULT, Limits


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write these files, and say where the first is."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / next(iter(files))


def mistakes(path: Path | str, limits: Limits = DEFAULT) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        netspec.load(path, limits=limits)
    return list(caught.value.diagnostics)


def ids(path: Path | str, limits: Limits = DEFAULT) -> list[str]:
    return [diagnostic.id for diagnostic in mistakes(path, limits)]


def steps(path: Path, input_shape: tuple[int, ...] | None = None) -> str:
    """`name shape` of each node but the inputs."""
    nodes = netspec.load(path, input_shape=input_shape).nodes
    return " | ".join(
        f"{n.name} {str(n.shape).replace(' ', '')}" for n in nodes if n.op.kind != "input"
    )


USES = {
    "a block": (
        {"m.net": 'use "u.net"\ninput 4\nunit 2', "u.net": "block unit(c) { dense c -> relu }"},
        "unit1.dense1 2 | unit1.relu1 2",
    ),
    "a use that stands below": (
        {"m.net": 'input 4\nf\nuse "u.net"', "u.net": "block f { dense 2 }"},
        "f1.dense1 2",
    ),
    "constants of one name": (
        {
            "m.net": 'use "u.net"\nlet c = 3\nnet m { input 4 -> f -> dense c }',
            "u.net": "let k = 2\nlet c = k * 2\nblock f { dense c }",
        },
        "f1.dense1 4 | dense1 3",
    ),
    "a variable of the net is none of a used block": (
        {
            "m.net": 'use "u.net"\nlet c = 3\ninput 4 -> f -> dense c',
            "u.net": "let c = 5\nblock f { dense c }",
        },
        "f1.dense1 5 | dense1 3",
    ),
    "paths relative to the file": (
        {
            "m.net": 'use "a/a.net"\nuse "b.net"\ninput 4\nf -> g',
            "a/a.net": 'use "c.net"\nblock f { h 3 }',
            "a/c.net": "block h(n) { dense n }",
            "b.net": 'use "./a/../a/c.net"\nblock g { h 2 }',
        },
        "f1.h1.dense1 3 | g1.h1.dense1 2",
    ),
    "a file used by two, and twice": (
        {
            "m.net": 'use "a.net"\nuse "a.net"\nuse "c.net"\ninput 4\nf -> h',
            "a.net": 'use "c.net"\nblock f { h }',
            "c.net": "block h { relu }",
        },
        "f1.h1.relu1 4 | h1.relu1 4",
    ),
    "blocks of one name in files that do not see one another": (
        {
            "m.net": 'use "a.net"\nblock h { dense 3 }\ninput 4\nf -> h',
            "a.net": 'use "c.net"\nblock f { h }',
            "c.net": "block h { dense 2 }",
        },
        "f1.h1.dense1 2 | h1.dense1 3",
    ),
    "blocks as values keep their file": (
        {
            "m.net": 'use "a.net"\nblock act { dense c }\nlet c = 3\ninput 4\nf -> f act -> f relu',
            "a.net": "let c = 2\nblock f(body=own) { body }\nblock own { dense c }",
        },
        "f1.own1.dense1 2 | f2.act1.dense1 3 | f3.relu1 3",
    ),
    "a used block before an op": (
        {"m.net": 'use "a.net"\ninput 4\nrelu', "a.net": "block relu { dense 2 }"},
        "relu1.dense1 2",
    ),
    "an input in a used block": (
        {
            "m.net": 'use "a.net"\nstem -> dense 2',
            "a.net": 'use "b.net"\nblock stem { begin }',
            "b.net": "block begin { input 8 }",
        },
        "dense1 2",
    ),
}


@pytest.mark.parametrize(("files", "expected"), USES.values(), ids=USES)
def test_what_a_file_sees(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert steps(write(tmp_path, files)) == expected


def test_the_input_of_what_is_not_called_is_none_of_the_net(tmp_path: Path) -> None:
    other = "block f { relu }\nblock g { input 8 }\nnet example { input 8 -> f }"
    path = write(tmp_path, {"m.net": 'use "a.net"\nf', "a.net": other})
    assert steps(path, input_shape=(3,)) == "f1.relu1 3"


MISTAKES = {
    "what a used file uses": (
        {
            "m.net": 'use "a.net"\ninput 4\nf -> h',
            "a.net": 'use "c.net"\nblock f { h }',
            "c.net": "block h { relu }",
        },
        ["unknown-op"],
    ),
    "constants": (
        {"m.net": 'use "a.net"\ninput 4 -> dense c', "a.net": "let c = 3"},
        ["unknown-name"],
    ),
    "what its user has": (
        {"m.net": 'use "a.net"\nblock h { relu }\ninput 4 -> f', "a.net": "block f { h }"},
        ["unknown-op"],
    ),
    "nets": (
        {"m.net": 'use "a.net"\ninput 4 -> n', "a.net": "net n { input 4 -> relu }"},
        ["unknown-op"],
    ),
    "steps": (
        {"m.net": 'use "a.net"\ninput 4', "a.net": "input 4 -> relu\nrelu"},
        ["step-outside-net"],
    ),
    "several mistakes in several files": (
        {
            "m.net": 'use "a.net"\nuse "b.net"\nuse "c.net"\ninput 4 -> nothing_of_this',
            "a.net": "block f( { }",
            "b.net": 'use "a.net"\nblock g(x, x) { }\nblock g { }',
            "d.net": "",
        },
        ["unclosed-bracket", "duplicate-definition", "duplicate-definition", "unreadable-file"],
    ),
    "a mistake in constants": (
        {"m.net": 'use "a.net"\ninput 4 -> f', "a.net": "let c = 1 // 0\nblock f { dense c }"},
        ["division-by-zero"],
    ),
    "a file that uses itself": (
        {"m.net": 'use "m.net"\ninput 4 -> relu'},
        ["circular-use"],
    ),
    "a circle": (
        {
            "m.net": 'use "a.net"\ninput 4 -> relu',
            "a.net": 'use "b.net"',
            "b.net": 'use "c.net"',
            "c.net": 'use "a.net"',
        },
        ["circular-use"],
    ),
}


@pytest.mark.parametrize(("files", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_what_a_file_does_not_see(
    tmp_path: Path, files: dict[str, str], expected: list[str]
) -> None:
    assert ids(write(tmp_path, files)) == expected


def test_a_mistake_is_shown_in_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path,
        {
            "specs/m.net": 'use "parts/a.net"\ninput 4 -> f 2',
            "specs/parts/a.net": 'use "b.net"\nblock f(n) { g n }',
            "specs/parts/b.net": "# two\nblock g(n) {\n  conv n 3\n}",
        },
    )
    monkeypatch.chdir(tmp_path)
    (mistake,) = mistakes("specs/m.net")
    assert mistake.span is not None
    assert mistake.span.position[:3] == (str(Path("specs/parts/b.net")), 3, 3)
    places = [(note.message, note.span.position[:2]) for note in mistake.trace if note.span]
    assert places == [
        ("in `g`, called with n = 2", (str(Path("specs/parts/a.net")), 2)),
        ("in `f`, called with n = 2", ("specs/m.net", 2)),
    ]


def test_a_text_that_cannot_be_read_says_who_uses_it(tmp_path: Path) -> None:
    files = {"m.net": 'use "a.net"', "a.net": '\nuse "b.net"', "b.net": "block {"}
    (mistake,) = mistakes(write(tmp_path, files))
    assert [note.message for note in mistake.trace] == [
        f"used by {tmp_path / 'a.net'}",
        f"used by {tmp_path / 'm.net'}",
    ]


@pytest.mark.parametrize(
    ("main", "first", "second"),
    [
        ('use "a.net"\nblock f { tanh }\ninput 4 -> f', ("m.net", 2), ("a.net", 1)),
        ('use "a.net"\nuse "b.net"\ninput 4 -> f', ("a.net", 1), ("b.net", 2)),
    ],
)
def test_two_blocks_of_one_name_are_shown_both(
    tmp_path: Path, main: str, first: tuple[str, int], second: tuple[str, int]
) -> None:
    files = {"m.net": main, "a.net": "block f { relu }", "b.net": "\nblock f { sigmoid }"}
    (mistake,) = mistakes(write(tmp_path, files))
    assert mistake.id == "duplicate-definition"
    assert [note.span.position[:2] for note in mistake.notes if note.span] == [
        (str(tmp_path / name), line) for name, line in (first, second)
    ]
