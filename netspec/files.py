"""Finds, reads and writes files whole, and shows how they would change. Knows nothing of what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
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
    from tempfile import NamedTemporaryFile  # slow to import

    goal, written = Path(os.path.realpath(path)), None
    try:
        if goal.exists() and not goal.is_file():
            goal.write_bytes(content)
            return
        with NamedTemporaryFile(dir=goal.parent, prefix=f".{goal.name}.", delete=False) as file:
            written = file.name
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(written, goal.stat().st_mode & 0o777 if goal.exists() else 0o666 & ~_umask())
        os.replace(written, goal)
    except BaseException as error:
        if written is not None:
            with suppress(OSError):
                os.unlink(written)
        if not isinstance(error, OSError):
            raise
        reason = f"cannot write {path}: {error.strerror}"
        raise SpecError(Diagnostic("unwritable-file", reason)) from None


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
