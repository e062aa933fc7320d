"""Which files a spec may read: none outside of its folder, by whatever trick, and none beyond the limits."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from test_use import ids, mistakes, steps, write

import netspec
from netspec.diagnostics import SpecError
from netspec.limits import DEFAULT


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("../secret.net", "outside-folder"),
        ("parts/../../secret.net", "outside-folder"),
        ("../missing.net", "outside-folder"),
        ("../specs2/secret.net", "outside-folder"),
        ("/etc/hostname", "outside-folder"),
        ("/missing.net", "outside-folder"),
        ("C:/secret.net", "outside-folder"),
        ("C:secret.net", "outside-folder"),
        ("out.net", "outside-folder"),
        ("folder/secret.net", "outside-folder"),
        ("parts/up.net", "outside-folder"),
        ("", "unreadable-file"),
        ("..\\secret.net", "unreadable-file"),
        ("a\0b", "unreadable-file"),
        ("missing.net", "unreadable-file"),
        ("parts", "unreadable-file"),
        (".", "unreadable-file"),
        ("pipe.net", "unreadable-file"),
        ("loop.net", "unreadable-file"),
        ("n" * 5000, "unreadable-file"),
        ("m.net/x.net", "unreadable-file"),
        ("bytes.net", "not-utf8"),
    ],
)
def test_what_is_not_read(tmp_path: Path, path: str, expected: str) -> None:
    main = write(
        tmp_path,
        {
            "specs/m.net": f'use "{path}"\ninput 4 -> relu',
            "specs/parts/inner.net": "",
            "secret.net": "block secret { relu }",
            "specs2/secret.net": "block secret { relu }",
        },
    )
    (tmp_path / "specs" / "bytes.net").write_bytes(b"\xff")
    (tmp_path / "specs" / "out.net").symlink_to("../secret.net")
    (tmp_path / "specs" / "folder").symlink_to(tmp_path)
    (tmp_path / "specs" / "parts" / "up.net").symlink_to("../out.net")
    (tmp_path / "specs" / "loop.net").symlink_to("loop.net")
    os.mkfifo(tmp_path / "specs" / "pipe.net")
    (mistake,) = mistakes(main)
    assert mistake.id == expected
    assert mistake.span is not None
    assert mistake.span.position.line == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/up/secret.net", "outside-folder"),  # a link to a folder in the middle of the path
        ("a/up/../specs/m.net", "outside-folder"),  # the link is followed before the dots
        ("a/b/../../../secret.net", "outside-folder"),
        ("a/./b/.././../../secret.net", "outside-folder"),
        ("a//..//..//secret.net", "outside-folder"),
        ("first", "unreadable-file"),  # links in a circle
        ("a/first/x.net", "unreadable-file"),
        ("//etc/hostname", "outside-folder"),
        ("~/secret.net", "unreadable-file"),
        ("$HOME/secret.net", "unreadable-file"),
        ("file:///etc/hostname", "unreadable-file"),
        ("null", "outside-folder"),
        ("socket", "unreadable-file"),
        ("M.NET", "unreadable-file"),
        ("m.net/", "circular-use"),
        ("m.net.", "unreadable-file"),
        (" m.net", "unreadable-file"),
        ("utf16.net", "not-utf8"),
        ("surrogate.net", "not-utf8"),
        ("nul.net", "unknown-character"),
        ("locked.net", "unreadable-file"),
    ],
)
def test_no_trick_leads_out_or_to_what_is_no_file(
    tmp_path: Path, path: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = write(
        tmp_path,
        {
            "specs/m.net": f'use "{path}"\ninput 4 -> relu',
            "specs/a/b/inner.net": "",
            "specs/nul.net": "block f { relu }\0",
            "specs/locked.net": "block f { relu }",
            "secret.net": "block secret { relu }",
        },
    )
    specs = tmp_path / "specs"
    (specs / "a" / "up").symlink_to("../..")
    (specs / "first").symlink_to("second")
    (specs / "second").symlink_to("first")
    (specs / "a" / "first").symlink_to("../second")
    (specs / "null").symlink_to("/dev/null")
    (specs / "utf16.net").write_bytes("block f { relu }".encode("utf-16"))
    (specs / "surrogate.net").write_bytes(b"block f { relu } # \xed\xa0\x80")
    (specs / "locked.net").chmod(0)
    monkeypatch.chdir(specs)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        if expected == "unreadable-file" and path == "locked.net" and os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
        if path == "M.NET" and (specs / "M.NET").exists():
            expected = (
                "circular-use"  # where names differ in no more than case, it is the same file
            )
        (mistake,) = mistakes(main)
    assert mistake.id == expected


def test_a_mark_of_byte_order_is_no_part_of_a_text(tmp_path: Path) -> None:
    path = write(
        tmp_path, {"m.net": '\ufeffuse "u.net"\ninput 4 -> f', "u.net": "\ufeffblock f { relu }"}
    )
    assert steps(path) == "f1.relu1 4"


def test_a_file_that_becomes_a_link_before_it_is_opened_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        tmp_path,
        {
            "specs/m.net": 'use "u.net"\ninput 4 -> f',
            "specs/u.net": "block f { relu }",
            "secret.net": "block f { tanh }",
        },
    )
    real_open = os.open

    def swap(name: str, flags: int) -> int:
        (tmp_path / "specs" / "u.net").unlink()
        (tmp_path / "specs" / "u.net").symlink_to("../secret.net")
        return real_open(name, flags)

    monkeypatch.setattr(os, "open", swap)
    assert ids(path) == ["unreadable-file"]


def test_a_folder_that_becomes_a_link_before_a_file_is_opened_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        tmp_path,
        {
            "specs/m.net": 'use "parts/u.net"\ninput 4 -> f',
            "specs/parts/u.net": "block f { relu }",
            "other/u.net": "block f { tanh }",
        },
    )
    real_open = os.open

    def swap(name: str, flags: int) -> int:
        (tmp_path / "specs" / "parts").rename(tmp_path / "specs" / "away")
        (tmp_path / "specs" / "parts").symlink_to("../other")
        return real_open(name, flags)

    monkeypatch.setattr(os, "open", swap)
    assert ids(path) == ["outside-folder"]


def test_a_file_that_grows_while_it_is_read_stays_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, {"m.net": 'use "u.net"\ninput 4 -> f', "u.net": "block f { relu }"})
    real_open = os.open

    def grow(name: str, flags: int) -> int:
        descriptor = real_open(name, flags)
        (tmp_path / "u.net").write_text("#" * 5000)
        return descriptor

    monkeypatch.setattr(os, "open", grow)
    assert ids(path, DEFAULT._replace(source_bytes=1000)) == ["over-limit"]


def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    files = {
        "real/m.net": 'use "a.net"\nuse "b.net"\ninput 4 -> f',
        "real/parts/a.net": 'use "c.net"\nblock f { g }',
        "real/parts/c.net": "block g { relu }",
    }
    write(tmp_path, files)
    (tmp_path / "real" / "a.net").symlink_to("parts/a.net")
    (tmp_path / "real" / "b.net").hardlink_to(tmp_path / "real" / "parts" / "a.net")
    (tmp_path / "link.net").symlink_to("real/m.net")
    assert steps(tmp_path / "link.net") == "f1.g1.relu1 4"


def test_a_hard_link_closes_a_circle_too(tmp_path: Path) -> None:
    path = write(tmp_path, {"m.net": 'use "n.net"\ninput 4 -> relu'})
    (tmp_path / "n.net").hardlink_to(path)
    assert ids(path) == ["circular-use"]


def test_a_text_uses_files_where_it_is_given_a_folder(tmp_path: Path) -> None:
    write(tmp_path, {"a.net": "block f { relu }"})
    text = 'use "a.net"\ninput 4 -> f'
    assert netspec.parse(text, folder=tmp_path).nodes[-1].name == "f1.relu1"
    with pytest.raises(SpecError, match="no-folder: <string> is a text without a folder"):
        netspec.parse(text)


def test_limits(tmp_path: Path) -> None:
    chain = {f"{i}.net": f'use "{i + 1}.net"\nblock f{i} {{ relu }}' for i in range(70)}
    path = write(tmp_path, {**chain, "70.net": ""})
    assert ids(path) == ["over-limit"]
    many = DEFAULT._replace(files=70)
    assert ids(path, many) == ["no-output"]
    assert ids(path, many._replace(source_bytes=2000)) == ["over-limit"]
    assert ids(path, many._replace(source_bytes=2200)) == ["no-output"]


def test_files_that_use_one_another_many_times_are_read_once(tmp_path: Path) -> None:
    """2**40 ways lead from the first file to the last."""
    files = {f"{i}.net": f'use "{i + 1}.net"\nuse "./{i + 1}.net"' for i in range(40)}
    path = write(tmp_path, {**files, "40.net": "block f { relu }"})
    start = time.perf_counter()
    assert ids(path) == ["no-output"]
    assert time.perf_counter() - start < 2


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    path = write(tmp_path, {"m.net": 'use "huge.net"'})
    with open(tmp_path / "huge.net", "wb") as file:
        file.truncate(1 << 30)
    start = time.perf_counter()
    assert ids(path) == ["over-limit"]
    assert time.perf_counter() - start < 2
