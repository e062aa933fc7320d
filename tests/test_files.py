"""Writing files whole: what was there is replaced in one step, or stays as it was."""

from __future__ import annotations

import os
from threading import Thread

import pytest

from netspec.diagnostics import SpecError
from netspec.files import decode, write_atomically


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


def test_where_nothing_can_be_written_nothing_is_left(tmp_path):
    for path in (tmp_path / "missing" / "out.py", tmp_path, tmp_path / ("a" * 300)):
        with pytest.raises(SpecError, match="cannot write"):
            write_atomically(path, b"new")
    assert os.listdir(tmp_path) == []
