"""Files found, read and written whole: what was there is replaced in one step, or stays as it was."""

from __future__ import annotations

import os
from threading import Thread

import pytest

from netspec.diagnostics import SpecError
from netspec.files import decode, read_text, spec_files, write_atomically
from netspec.source import Source


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "out.py"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out.py"]


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target.py", tmp_path / "link.py"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_what_is_no_file_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    reader = Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, b"content")
    reader.join()
    assert found == [b"content"]
    assert pipe.is_fifo()
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_new_file_has_the_permissions_of_others(tmp_path):
    write_atomically(tmp_path / "new.py", b"")
    (tmp_path / "other.py").touch()
    modes = [(tmp_path / name).stat().st_mode for name in ("new.py", "other.py")]
    assert modes[0] == modes[1]


def test_the_byte_that_is_no_utf8_is_counted_from_the_beginning():
    with pytest.raises(SpecError, match="byte 4 is 0xff"):
        decode(b"\xef\xbb\xbfa\xff", "a.net")


def test_lines_end_as_in_pythons_files():
    assert decode(b"a\r\nb\rc\n\rd", "a.net") == "a\nb\nc\n\nd"
    with pytest.raises(SpecError) as caught:
        decode(b"a\r\nb\rc\n\xff", "a.net")
    assert caught.value.diagnostics[0].help == "save the file as UTF-8; see line 4"
    place = Source("a.net", "a\rb\r\nc").place(4)
    assert place == (3, 1)


def test_where_nothing_can_be_written_nothing_is_left(tmp_path):
    for path in (tmp_path / "missing" / "out.py", tmp_path, tmp_path / ("a" * 300)):
        with pytest.raises(SpecError, match="cannot write"):
            write_atomically(path, b"new")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nets/smal.net", "did you mean `small.net`?"),
        ("nets", "it has small.net, deep/large.net"),
        ("empty", "no `.net` file is in it"),
        ("missing/small.net", "there is no folder"),
    ],
)
def test_what_may_be_read_instead_is_told(tmp_path, path, words):
    (tmp_path / "nets" / "deep").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("nets/small.net", "nets/deep/large.net", "nets/notes.txt"):
        (tmp_path / name).touch()
    with pytest.raises(SpecError) as caught:
        read_text(tmp_path / path)
    assert words in (caught.value.diagnostics[0].help or "")


def test_each_file_is_read_once(tmp_path):
    (tmp_path / "a.net").touch()
    (tmp_path / "empty").mkdir()
    found = [str(tmp_path / "a.net"), str(tmp_path / "empty")]
    assert list(spec_files([str(tmp_path), *found, *found])) == found


def test_what_may_not_be_written_to_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "locked.net"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(SpecError, match="it may not be written to"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
