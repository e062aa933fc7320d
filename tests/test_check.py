"""`netspec check` and `netspec explain` as commands: what goes where, exit codes, formats, files that are changed.

`NETSPEC_UPDATE=1 pytest tests/test_check.py` writes what stands in tests/lint anew.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

import netspec
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.explain import MISTAKES, chapters, find, to_markdown
from netspec.explain.page import Page
from netspec.format import format_source
from netspec.lint.selection import configuration
from netspec.source import Source

HERE = Path(__file__).parent
ROOT = HERE.parent
LINT = HERE / "lint"
SCHEMA = json.loads((HERE / "data" / "sarif-2.1.0-used.schema.json").read_text())
BAD, GOOD = "input 3 8 8\nconv 8 3 -> bn\n", "input 3 8 8\nconv 8 3 bias=false -> bn\n"
PAGES = {id_: page for pages in MISTAKES.values() for id_, page in pages.items()}

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; `code` is the exit code that it must end with."""
    configuration.cache_clear()
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: object, code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, [str(each) for each in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return invoke


# ---- formats ----


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_the_formats(run: Run, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.chdir(LINT)
    result = run("check", "all.net", "broken.net", "--output-format", form, code=1)
    found = result.stderr if form == "text" else result.stdout
    found = re.sub(r'"version": "\d+\.\d+\.\d+"(?=,\n +"rules")', '"version": "..."', found)
    expected = LINT / f"expected.{form}"
    if os.environ.get("NETSPEC_UPDATE"):
        expected.write_text(found)
    assert found == expected.read_text()


def test_sarif_is_valid(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(LINT)
    log = json.loads(run("check", "all.net", "broken.net", "--format", "sarif", code=1).stdout)
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(log, SCHEMA)
    (only,) = log["runs"]
    for result in only["results"]:
        rule = only["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
    (tmp_path / "a ä#.net").write_text(BAD)
    (odd,) = json.loads(run("check", tmp_path / "a ä#.net", "--format", "sarif", code=1).stdout)[
        "runs"
    ]
    (location,) = odd["results"][0]["locations"]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.startswith("file:///")
    assert uri.endswith("a%20%C3%A4%23.net")
    clean = json.loads(run("check", "-", "--format", "sarif", stdin=GOOD).stdout)
    jsonschema.validate(clean, SCHEMA)
    assert clean["runs"][0]["results"] == []


def test_github_escapes_what_would_end_a_part(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a,b:c%.net"
    path.write_text("covn 3\n")
    line = run("check", path, "--format", "github", code=1).stdout
    assert f"file={tmp_path}/a%2Cb%3Ac%25.net,line=1," in line
    assert line.startswith("::error title=netspec (unknown-op),")


@pytest.mark.usefixtures("run")
def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(**environment: str) -> str:
        for name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(main, ["check", "-"], input=BAD, color=True)
        return result.stderr

    assert "\x1b[1;33mwarning[bias-before-batch-norm]" in shown(FORCE_COLOR="1")
    assert "\x1b" not in shown()
    assert "\x1b" not in shown(FORCE_COLOR="1", NO_COLOR="1")


# ---- what goes where ----


def test_clean_files_are_described(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text("net one { input 3 }\nnet two { input 4 -> dense 2 }\n")
    (tmp_path / "b.net").write_text("block unit { relu }\n")
    result = run("check", tmp_path)
    assert result.stdout == "one: 1 node, output 3\ntwo: 2 nodes, output 2\n"
    assert result.stderr == ""
    graph = netspec.parse(GOOD).to_json()
    (tmp_path / "g.json").write_text(graph)
    assert "3 nodes" in run("check", tmp_path / "g.json").stdout


def test_a_file_that_cannot_be_read_stops_no_other(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(BAD)
    result = run("check", tmp_path / "none.net", tmp_path / "a.net", code=1)
    assert "error[unreadable-file]" in result.stderr
    assert "warning[bias-before-batch-norm]" in result.stderr


def test_warnings_exit_with_1_unless_they_are_not_asked_for(run: Run) -> None:
    assert "nodes" in run("check", "-", stdin=BAD, code=1).stdout
    run("check", "-", "--select", "unused,softmax", stdin=BAD)
    run("check", "-", "--ignore", "training", stdin=BAD)
    run("check", "-", "--ignore", "bias-before-batch-norm", stdin=BAD)


def test_wrong_selections_exit_with_2(run: Run, tmp_path: Path) -> None:
    result = run("check", "-", "--select", "unusd", stdin=GOOD, code=2)
    assert "error[unknown-rule]" in result.stderr
    assert "did you mean `unused`?" in result.stderr
    (tmp_path / "pyproject.toml").write_text("[tool.netspec]\nselct = []\n")
    (tmp_path / "a.net").write_text(GOOD)
    assert "error[bad-configuration]" in run("check", tmp_path / "a.net", code=2).stderr
    run("check", "-", "--fix", "--format", "json", stdin=GOOD, code=2)


def test_the_example_of_the_documentation(run: Run) -> None:
    page = (ROOT / "docs" / "checking.md").read_text()
    (shown,) = re.findall(
        r"^```console\n\$ printf '(.*?)' \| netspec check -\n(.*?)^```$", page, re.M | re.S
    )
    text = shown[0].replace("\\n", "\n")
    result = run("check", "-", stdin=text, code=1)
    assert result.stdout + result.stderr == shown[1]


# ---- fixes ----


def test_fix_changes_files_in_place(run: Run, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.net", tmp_path / "good.net"
    bad.write_text(BAD)
    good.write_text(GOOD)
    bad.chmod(0o640)
    before = good.stat()
    result = run("check", "--fix", tmp_path)
    assert bad.read_text() == GOOD
    assert bad.stat().st_mode & 0o777 == 0o640
    assert result.stderr == f"fixed 1 problem in {bad}\n"
    assert (good.stat().st_ino, good.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_fixed_file_keeps_its_ends_of_lines_and_its_mark(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.net"
    for end in ("\r\n", "\r"):
        path.write_bytes(b"\xef\xbb\xbf" + BAD.replace("\n", end).encode())
        run("check", "--fix", path)
        assert path.read_bytes() == b"\xef\xbb\xbf" + GOOD.replace("\n", end).encode()


MANY = "input 8\n" + "".join(f"let a{i} = 1\n" for i in range(5)) + "dense 3\n"


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_beyond_the_limit_warnings_are_counted(run: Run, form: str) -> None:
    arguments = ("check", "-", "--limit", "warnings=2", "--format", form)
    result = run(*arguments, code=1, stdin=MANY)
    found = result.stderr if form == "text" else result.stdout
    assert "`a1`" in found
    assert "`a2`" not in found
    assert "3 more warnings from here on" in found
    if form == "json":
        *_, last = json.loads(found)["diagnostics"]
        assert (last["id"], last["severity"]) == ("over-limit", "warning")
        assert last["position"]["line"] == 4
    elif form == "sarif":
        jsonschema.validate(json.loads(found), SCHEMA)


def test_fixes_have_no_limit(run: Run) -> None:
    result = run("check", "-", "--fix", "--limit", "warnings=2", stdin=MANY)
    assert result.stdout == "input 8\ndense 3\n"


def test_diff_changes_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.net"
    path.write_text(BAD)
    result = run("check", "--diff", path, code=1)
    assert path.read_text() == BAD
    assert "-conv 8 3 -> bn\n+conv 8 3 bias=false -> bn\n" in result.stdout
    assert "warning" not in result.stderr
    assert f"would fix 1 problem in {path}" in result.stderr


def test_stdin_is_fixed_to_stdout(run: Run) -> None:
    assert run("check", "-", "--fix", stdin=BAD).stdout == GOOD
    assert run("check", "-", "--fix", stdin=GOOD).stdout == GOOD
    assert run("check", "-", "--fix", stdin="covn\n", code=1).stdout == "covn\n"


def test_a_broken_file_is_not_written(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_text(BAD + "covn 3\n")
    run("check", "--fix", path, code=1)
    assert path.read_text() == BAD + "covn 3\n"


# ---- explain ----


def raised() -> set[str]:
    """Every id that some line of netspec gives to a mistake, found in its calls."""
    found = set()
    makers = {"Diagnostic", "Rejected", "fail", "_Habit", "_failure", "_mistake"}
    for home in (Path(netspec.__file__).parent, ROOT / "backends"):
        for path in home.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.args:
                    maker = getattr(node.func, "id", getattr(node.func, "attr", None))
                    first = node.args[0]
                    if maker in makers and isinstance(first, ast.Constant):
                        found.add(first.value)
    return found


def test_every_id_has_a_page_and_every_page_an_id() -> None:
    ids = raised()
    assert ids
    assert ids - PAGES.keys() == set(), "add a page in netspec/explain"
    assert PAGES.keys() - ids == set(), "nothing reports these any more"
    assert sum(len(pages) for pages in chapters().values()) == len(
        {id_ for pages in chapters().values() for id_ in pages}
    )


@pytest.mark.parametrize(
    ("id_", "page"), [(id_, page) for id_, page in PAGES.items() if page.bad], ids=lambda x: x
)
def test_a_page_shows_its_mistake_and_its_cure(id_: str, page: Page) -> None:
    assert page.bad is not None
    with pytest.raises(SpecError) as caught:
        netspec.parse(page.bad)
    assert [each.id for each in caught.value.diagnostics] == [id_]
    if page.good is not None:
        netspec.parse(page.good)
        assert format_source(Source("t.net", page.good)) == page.good


def test_explain_prints_a_page(run: Run) -> None:
    text = run("explain", "bias-before-batch-norm").stdout
    assert text.startswith(
        "bias-before-batch-norm (lint rule, training, mended by --fix)\n\nA bias"
    )
    assert "    conv 16 3 bias=false -> bn -> relu" in text
    assert run("explain", "unknown-op").stdout.startswith("unknown-op (error)\n\nA step")


def test_explain_lists_all_and_suggests(run: Run) -> None:
    listed = run("explain").stdout
    assert all(f"  {id_} " in listed for pages in chapters().values() for id_ in pages)
    result = run("explain", "unknwon-op", code=1)
    assert "did you mean `unknown-op`?" in result.stderr


def test_the_page_of_all_is_current(run: Run) -> None:
    assert run("explain", "--markdown").stdout == to_markdown()
    assert (ROOT / "docs" / "diagnostics.md").read_text() == to_markdown()
    assert find("unknown-op") is PAGES["unknown-op"]


# ---- what a user may ask for by mistake ----


def test_a_diff_stands_alone_on_stdout(run: Run) -> None:
    result = run("check", "--diff", "-", stdin=BAD, code=1)
    assert result.stdout.startswith("--- <stdin>")
    assert "nodes" not in result.stdout


def test_a_folder_without_specs_is_told(run: Run, tmp_path: Path) -> None:
    for command in ("check", "fmt"):
        assert "no `.net` file is in it" in run(command, tmp_path, code=1).stderr


def test_a_graph_has_no_form_to_give(run: Run) -> None:
    assert "is a graph, not a spec" in run("fmt", "a.json", code=2).stderr


def test_a_family_of_rules_has_the_pages_of_its_rules(run: Run) -> None:
    assert "equal-branches, softmax-before-layers" in run("explain", "layers", code=1).stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no device that is full")
def test_a_full_disk_is_no_bug() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "netspec", "explain"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error[unwritable-file]: cannot write the output: No space left on device\n"
    )
