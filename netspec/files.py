"""Finds, reads and writes files whole, and shows how they would change. Knows nothing of what is in them."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EINVAL
from io import StringIO
from pathlib import Path

from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.limits import DEFAULT, Limits, bound
from netspec.source import universal_newlines


def spec_files(paths: Iterable[str]) -> Iterator[str]:
    """The paths, each once, with a folder's `.net` files in its place, or the folder if it has none.

    Hidden folders are passed over.
    """
    return iter(dict.fromkeys(found for path in paths for found in _specs_in(path) or [path]))


def _specs_in(path: str) -> list[str]:
    """The `.net` files of a folder and of those in it; none where the path is no folder."""
    found: list[str] = []
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += (str(Path(folder, name)) for name in sorted(files) if name.endswith(".net"))
    return found


def read_text(path: str | Path, limits: Limits = DEFAULT) -> str:
    """The text of a spec's file. Raises `SpecError` where it cannot be read, is too large or is no UTF-8."""
    try:
        with open(path, "rb") as file:
            content = file.read(limits.source_bytes + 1)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise SpecError(Diagnostic("unreadable-file", message, help=_instead(str(path)))) from None
    except ValueError as error:  # no path of the system: it has a zero byte in it
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path!r}: {error}")) from None
    return decode(content, str(path), limits)


def _instead(path: str) -> str | None:
    """What may be read in place of a path that cannot be."""
    if os.path.isdir(path):
        specs = [os.path.relpath(spec, path) for spec in _specs_in(path)[:3]]
        return f"it has {', '.join(specs)}" if specs else "no `.net` file is in it"
    if os.path.lexists(path):
        return None
    folder, name = os.path.split(path)
    try:
        return did_you_mean(name, os.listdir(folder or os.curdir))
    except OSError:
        return f"there is no folder {folder}"


def decode(content: bytes, name: str, limits: Limits = DEFAULT) -> str:
    """The text of these bytes. Raises `SpecError` where they are too many or no UTF-8."""
    if len(content) > limits.source_bytes:
        message = f"{name} is larger than {limits.source_bytes:,} bytes"
        raise SpecError(Diagnostic("source-too-large", message, help=bound("source_bytes", limits)))
    try:
        return universal_newlines(content.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        place = error.start + len(content) - len(error.object)
        message = f"{name} is not UTF-8: byte {place} is 0x{content[place]:02x}"
        line = universal_newlines(content[:place].decode("latin-1")).count("\n") + 1
        help_ = (
            "this is no text" if b"\0" in content else f"save the file as UTF-8; see line {line}"
        )
        raise SpecError(Diagnostic("not-utf8", message, help=help_)) from None


def rewrite_text(path: str | Path, text: str) -> None:
    """Replace the text of a spec's file, with its ends of lines and its mark of UTF-8, if it has one."""
    try:
        before = Path(path).read_bytes()
    except OSError as error:
        raise unwritable(path, error) from None
    both = before.count(b"\r\n")
    ends = {b"\n": before.count(b"\n") - both, b"\r\n": both, b"\r": before.count(b"\r") - both}
    mark = BOM_UTF8 if before.startswith(BOM_UTF8) else b""
    write_atomically(path, mark + text.encode().replace(b"\n", max(ends, key=ends.__getitem__)))


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace a file in one step: readers see the old content or the new, never a part.

    A link keeps pointing where it does. What is there and is no file, such as a device or a pipe,
    stays and is written to. A file that is replaced keeps its permissions.
    """
    goal = os.path.realpath(path)
    if os.path.exists(goal) and not os.path.isfile(goal):
        try:
            Path(goal).write_bytes(content)
        except OSError as error:
            raise unwritable(path, error) from None
        return
    with replacing(path) as written:
        Path(written).write_bytes(content)


@contextmanager
def replacing(path: str | Path, suffix: str = "") -> Iterator[str]:
    """The name of a new file that takes the place of `path` in one step when the block is done.

    It stands in the same folder and has that suffix. Where the block fails, it is gone and what was there stays.
    """
    goal, written = os.path.realpath(path), None
    try:
        mode = os.stat(goal).st_mode & 0o777 if os.path.exists(goal) else None
        if mode is not None and not os.path.isfile(goal):
            raise OSError(EINVAL, "it is no file")
        if mode is not None and not os.access(goal, os.W_OK):  # a new file would take its place
            raise OSError(EACCES, "it may not be written to")
        written = _new_file(goal, suffix, 0o666 if mode is None else mode)
        yield written
        with open(written, "rb") as file:
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(written, mode)
        os.replace(written, goal)
    except BaseException as error:
        if written is not None:
            with suppress(OSError):
                os.unlink(written)
        if not isinstance(error, OSError):
            raise
        raise unwritable(path, error) from None


def unwritable(path: str | Path, error: OSError) -> SpecError:
    """What writing to a path came to."""
    return SpecError(
        Diagnostic("unwritable-file", f"cannot write {path}: {error.strerror or error}")
    )


def _new_file(goal: str, suffix: str, mode: int) -> str:
    """An empty file beside another one, whose name nobody guesses. The system takes its umask from the mode."""
    folder, name = os.path.split(goal)
    path = os.path.join(folder, f".{name[:40]}.{os.urandom(8).hex()}{suffix}")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    return path


def unified_diff(name: str, before: str, after: str) -> str:
    """What would change in a file, as `patch` reads it."""
    from difflib import unified_diff as lines  # slow to import

    found = lines(StringIO(before).readlines(), StringIO(after).readlines(), name, name)
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found
    )
    return "".join(ended)
