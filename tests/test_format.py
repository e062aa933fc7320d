"""The canonical form: what it is, that it keeps the tree and every comment, and that it is its own canonical form."""

from __future__ import annotations

import re
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.format import format_source
from netspec.format.page import WIDTH
from netspec.language import tree
from netspec.language.expand import expand
from netspec.language.lexer import Token
from netspec.language.syntax import parse, read_tokens
from netspec.limits import DEFAULT
from netspec.ops import find
from netspec.source import Source, Span, universal_newlines
from tests.programs import programs

ROOT = Path(__file__).parent.parent
CASES = sorted((Path(__file__).parent / "format").glob("*.out.net"))
EXAMPLES = sorted([*(ROOT / "examples").glob("*.net"), *(ROOT / "grammar").glob("*.net")])
BLOCKS = [
    pytest.param(found[1], id=f"{name}:{page.count(chr(10), 0, found.start()) + 1}")
    for name in ("grammar/language.md", "README.md")
    for page in [(ROOT / name).read_text()]
    for found in re.finditer(
        r"^```net(?:spec)?(?: [^\n]*)?\n(.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
]


def formatted(text: str) -> str:
    return format_source(Source("t.net", text))


def meaning(node: Any, aliases: bool = True) -> Any:
    """A tree without its places, and with an op's own name for each of its names."""
    if isinstance(node, (Span, Source)):
        return None
    if isinstance(node, tree.Name) and aliases and (op := find(node.name)) is not None:
        node = node._replace(name=op.kind)
    if isinstance(node, tuple):
        return (type(node).__name__, *(meaning(child, aliases) for child in node))
    return type(node), node


def understood(text: str) -> Any:
    return meaning(parse(Source("t.net", text)).items)


def words(text: str) -> list[Token]:
    source = Source("t.net", text)
    return list(read_tokens(source, DEFAULT, 0, len(source.text)))


def comments(text: str) -> list[str]:
    """The comments of a text, in order, found between its words."""
    found: list[str] = []
    text, end = universal_newlines(text), 0
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


@pytest.mark.parametrize("after", CASES, ids=lambda path: path.name.partition(".")[0])
def test_a_case_becomes_what_stands_beside_it(after: Path) -> None:
    before = after.with_name(after.name.replace(".out", ""))
    assert check(before.read_text()) == after.read_text()


def test_every_case_has_both_sides() -> None:
    befores = {path.name for path in CASES[0].parent.glob("*.net")} - {path.name for path in CASES}
    assert befores == {path.name.replace(".out", "") for path in CASES}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_canonical(path: Path) -> None:
    assert check(path.read_text()) == path.read_text()


@pytest.mark.parametrize("text", BLOCKS)
def test_what_the_pages_show_is_canonical(text: str) -> None:
    try:
        parse(Source("t.net", text))
    except SpecError:
        return  # it shows a mistake, which test_language.py looks at
    assert check(text) == text


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_random_programs_keep_their_tree_and_their_comments(text: str) -> None:
    check(text)


SEEDS = [
    part
    for path in EXAMPLES + sorted(CASES[0].parent.glob("*.net"))
    for part in re.split(r"\n\n(?=# |block )", path.read_text())
]
"""A file with many blocks in parts, since each try costs a text's whole length."""
TRIES = 24
"""Per text, of several hundred places."""


def places(text: str, insert: str) -> list[int]:
    """Where a text may be inserted without another meaning: beside words all over it, tried one by one."""
    found = []
    edges = sorted({edge for token in words(text) for edge in (token.start, token.end)})
    for place in sorted(Random(text).sample(edges, min(TRIES, len(edges)))):
        try:
            changed = understood(text[:place] + insert + text[place:])
        except SpecError:
            continue
        if changed == understood(text):
            found.append(place)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_comment_survives_wherever_it_may_stand(seed: str) -> None:
    """One at a time, then at every place at once, where each is told from the others by its number."""
    alone = places(seed, " # x\n")
    for place in alone:
        check(f"{seed[:place]} # x\n{seed[place:]}")
    text = seed
    for number, place in reversed(list(enumerate(alone))):
        text = f"{text[:place]} # {number}\n{text[place:]}"
    assert len(comments(text)) >= len(alone) > 0
    check(text)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_blanks_and_comments_sprinkled_in_change_nothing(seed: str, data: st.DataObject) -> None:
    text = seed
    for _ in range(data.draw(st.integers(1, 5))):
        insert = data.draw(
            st.sampled_from([" # x\n", "\n# y\n", "\n\n\n", "\n\n# z\n\n\n", "  ", "\r\n"])
        )
        edges = sorted({edge for token in words(text) for edge in (token.start, token.end)})
        place = data.draw(st.sampled_from(edges))
        changed = text[:place] + insert + text[place:]
        try:
            if understood(changed) == understood(seed):
                text = universal_newlines(changed)
        except SpecError:
            continue
    check(text)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_fits_is_the_only_thing_that_is_broken(seed: str) -> None:
    """No line is longer than it may be, but for words that nothing can part."""
    for line in formatted(seed).splitlines():
        code = line.partition("#")[0].rstrip()
        assert len(code) <= WIDTH or " -> " not in code, line


def test_an_ops_own_name_gives_the_same_graph() -> None:
    """Nodes are named after their op, whichever of its names stood there: weights keep theirs."""
    text = (CASES[0].parent / "names.net").read_text()
    before, after = (expand(parse(Source("t.net", spec))) for spec in (text, formatted(text)))
    assert before == after


def test_files_of_nothing_stay_so() -> None:
    assert [formatted(text) for text in ("", "\n\n", " ; ;\n")] == ["", "", ""]
    assert formatted("\n\n  # only this") == "# only this\n"


@pytest.mark.parametrize(
    ("start", "opening", "middle", "closing"),
    [
        ("", "if true { ", "relu", " }"),
        ("", "add { @ | ", "relu", " }"),
        ("", "if a { b } else ", "{ c }", ""),
        ("conv ", "(1 + ", "1", ")"),
        ("conv ", "[1, ", "1", "]"),
        ("conv ", "f(", "1", ")"),
        ("conv ", "-", "1", ""),
        ("let x = ", "1 if a else ", "1", ""),
    ],
)
def test_the_deepest_text_that_parses_is_formatted(
    start: str, opening: str, middle: str, closing: str
) -> None:
    deepest = ""
    for depth in range(1, 3 * DEFAULT.nesting):
        text = start + opening * depth + middle + closing * depth
        try:
            parse(Source("t.net", text))
        except SpecError:
            break
        deepest = text
    check(deepest)


@pytest.mark.parametrize(
    "line",
    [
        "conv 8 3 padding=1 -> relu\n",
        "-> conv 8 3 # x\n",
        "residual { relu }\n",
        "add { @ |\n@ }\n",
    ],
)
def test_time_is_linear(line: str) -> None:
    def seconds(lines: int) -> float:
        text = "input 3 8 8\n" + line * lines
        begin = time.process_time()
        formatted(text)
        return time.process_time() - begin

    seconds(100)
    assert seconds(4000) < 30 * max(seconds(500), 0.01), "8 for linear, 64 for quadratic"


# ---- the command ----

UGLY, CANONICAL = "input 8;dense (4)", "input 8\ndense 4\n"


def fmt(*arguments: object, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(main, ["fmt", *map(str, arguments)], input=stdin)
    assert isinstance(result.exception, (SystemExit, type(None))), result.exception
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("a.net", "deep/b.net", ".hidden/c.net", "d.txt"):
        (tmp_path / name).write_text(UGLY)
    (tmp_path / "good.net").write_text(CANONICAL)
    return tmp_path


def test_a_folder_is_formatted_in_place(folder: Path) -> None:
    good, a = folder / "good.net", folder / "a.net"
    a.chmod(0o640)
    before = good.stat()
    result = fmt(folder)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"formatted {a}\nformatted {folder / 'deep' / 'b.net'}\n"
    assert a.read_text() == (folder / "deep/b.net").read_text() == CANONICAL
    assert a.stat().st_mode & 0o777 == 0o640
    assert (folder / ".hidden/c.net").read_text() == (folder / "d.txt").read_text() == UGLY
    assert (good.stat().st_ino, good.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert fmt(folder).stderr == ""
    a.write_bytes(b"input 8 # wide\r\ndense (4)\r\n")
    fmt(a)
    assert a.read_bytes() == b"input 8  # wide\r\ndense 4\r\n"


def test_check_changes_nothing_and_tells_by_its_exit_code(folder: Path) -> None:
    result = fmt("--check", folder / "a.net", folder / "good.net")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"would format {folder / 'a.net'}\n"
    assert (folder / "a.net").read_text() == UGLY
    assert fmt("--check", folder / "good.net").exit_code == 0


def test_diff_shows_what_would_change(folder: Path) -> None:
    path = folder / "a.net"
    result = fmt("--diff", path, folder / "good.net")
    assert result.exit_code == 0
    assert path.read_text() == UGLY
    assert result.stdout == (
        f"--- {path}\n+++ {path}\n@@ -1 +1,2 @@\n"
        "-input 8;dense (4)\n\\ No newline at end of file\n+input 8\n+dense 4\n"
    )
    assert fmt("--diff", "--check", path).exit_code == 1
    assert fmt("--diff", "--check", folder / "good.net").exit_code == 0


def test_stdin_goes_to_stdout() -> None:
    assert fmt("-", stdin=UGLY).stdout == CANONICAL
    assert fmt("-", stdin=CANONICAL).stdout == CANONICAL
    checked = fmt("-", "--check", stdin=UGLY)
    assert (checked.exit_code, checked.stdout) == (1, "")
    assert fmt("-", "--diff", stdin=UGLY).stdout.startswith("--- <stdin>\n")


def test_a_mistake_is_reported_and_the_other_files_are_done(folder: Path) -> None:
    bad = folder / "a.net"
    bad.write_text("conv (")
    result = fmt(folder, folder / "missing.net")
    assert result.exit_code == 1
    assert f"--> {bad}:1:6" in result.stderr
    assert "error[unreadable-file]" in result.stderr
    assert bad.read_text() == "conv ("
    assert (folder / "deep/b.net").read_text() == CANONICAL


def test_a_line_end_of_another_system_is_no_change(folder: Path) -> None:
    path = folder / "good.net"
    path.write_bytes(CANONICAL.replace("\n", "\r\n").encode())
    assert fmt("--check", path).exit_code == 0
