"""Every mistake that the front half reports: the smallest program, and its whole rendering.

`NETSPEC_UPDATE=1 pytest tests/test_errors.py` writes the renderings anew. A first line that begins
with `#!` holds the options of the command line, or `--folder none` for a text without one. Files that are
only used stand in `errors/used`.
"""

import os
import re
from pathlib import Path

import pytest

import netspec
from netspec.diagnostics import SpecError
from netspec.folder import Folder
from netspec.language.expand import expand, parse_override
from netspec.language.syntax import parse_what_can_be
from netspec.limits import with_settings
from netspec.render import render
from netspec.source import Source

ERRORS = Path(__file__).parent / "errors"
HOME = Path(netspec.__file__).parent
FRONT = [*sorted(HOME.glob("language/*.py")), HOME / "folder.py", HOME / "limits.py"]


def compile_file(path: Path) -> None:
    text = path.read_text()
    options = re.findall(r"--(\w+) (\S+)", text.splitlines()[0]) if text.startswith("#!") else []
    given = dict(options)
    size = given.get("input")
    source = Source(path.name, text)
    limits = with_settings([value for option, value in options if option == "limit"])
    expand(
        parse_what_can_be(source, limits),
        net=given.get("net"),
        overrides=dict(parse_override(value) for option, value in options if option == "set"),
        input_shape=None if size is None else [int(part) for part in size.split("x")],
        read=None if "folder" in given else Folder.around(path.name, source).read,
        limits=limits,
    )


@pytest.mark.parametrize("path", sorted(ERRORS.glob("*.net")), ids=lambda path: path.stem)
def test_the_smallest_program_is_told_what_is_wrong(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ERRORS)
    with pytest.raises(SpecError) as caught:
        compile_file(path)
    text = render(caught.value.diagnostics)
    expected = path.with_suffix(".txt")
    if os.environ.get("NETSPEC_UPDATE"):
        expected.write_text(text)
    assert text == expected.read_text()
    assert path.stem in {diagnostic.id for diagnostic in caught.value.diagnostics}


def test_every_id_has_a_program() -> None:
    ids: set[str] = set()
    for path in FRONT:
        code = path.read_text()
        ids.update(re.findall(r'(?:fail|Diagnostic|_failure)\(\s*"([a-z-]+)"', code))
    assert ids
    assert ids <= {path.stem for path in ERRORS.glob("*.net")}
