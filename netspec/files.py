"""Finds, reads and writes files whole, and shows how they would change. Knows nothing of what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EINVAL
from io import StringIO
from pathlib import Path

from netspec.diagnostics import Diagnostic, SpecError
from netspec.limits import DEFAULT, Limits


def spec_files(paths: Iterable[str]) -> Iterator[str]:
    """The paths, with each folder's `.net` files in its place. Hidden folders are passed over."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (str(Path(folder, name)) for name in sorted(files) if name.endswith(".net"))


def read_text(path: str | Path, limits: Limits = DEFAULT) -> str:
    """The text of a spec's file. Raises `SpecError` where it cannot be read, is too large or is no UTF-8."""
    try:
        with open(path, "rb") as file:
            content = file.read(limits.source_bytes + 1)
    except OSError as error:
        raise SpecError(
            Diagnostic("unreadable-file", f"cannot read {path}: {error.strerror}")
        ) from None
    return decode(content, str(path), limits)


def decode(content: bytes, name: str, limits: Limits = DEFAULT) -> str:
    """The text of these bytes. Raises `SpecError` where they are too many or no UTF-8."""
    if len(content) > limits.source_bytes:
        message = f"{name} is larger than {limits.source_bytes:,} bytes"
        raise SpecError(Diagnostic("source-too-large", message))
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}"
        raise SpecError(Diagnostic("not-utf8", message)) from None


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace a file in one step: readers see the old content or the new, never a part.

    A link keeps pointing where it does. What is there and is no file, such as a device or a pipe,
    stays and is written to. A file that is replaced keeps its permissions.
    """
    goal = Path(os.path.realpath(path))
    if goal.exists() and not goal.is_file():
        try:
            goal.write_bytes(content)
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
    from tempfile import mkstemp  # slow to import

    goal, written = Path(os.path.realpath(path)), None
    try:
        if goal.exists() and not goal.is_file():
            raise OSError(EINVAL, "it is no file")
        handle, written = mkstemp(suffix, f".{goal.name}.", goal.parent)
        os.close(handle)
        yield written
        with open(written, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(written, goal.stat().st_mode & 0o777 if goal.exists() else 0o666 & ~_umask())
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def unified_diff(name: str, before: str, after: str) -> str:
    """What would change in a file, as `patch` reads it."""
    from difflib import unified_diff as lines  # slow to import

    found = lines(StringIO(before).readlines(), StringIO(after).readlines(), name, name)
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found
    )
    return "".join(ended)
