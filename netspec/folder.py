"""Reads the files that a spec uses, none of them outside of its folder. Knows nothing of the language."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Self

from netspec.diagnostics import Diagnostic, SpecError
from netspec.files import decode
from netspec.limits import DEFAULT, Limits, exceeded
from netspec.source import Source

# A pipe would wait for its writer, and the last part of a resolved path is no link any more.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
_FLAGS |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Folder:
    """A folder and those below it. Each file in them is read once, whatever its paths are."""

    def __init__(self, path: str | Path, limits: Limits = DEFAULT) -> None:
        self.path = str(path)
        self.limits = limits
        self._root = os.path.realpath(path)
        self._homes: dict[Source, str] = {}
        self._files: dict[tuple[int, int], Source] = {}
        self._bytes = 0

    @classmethod
    def around(cls, path: str | Path, source: Source, limits: Limits = DEFAULT) -> Self:
        """The folder in which a file really is, whose text is at hand."""
        real = os.path.realpath(path)
        folder = cls(os.path.dirname(real if os.path.islink(path) else path), limits)
        found = os.stat(path)
        folder._files[found.st_dev, found.st_ino] = source
        return folder

    def read(self, path: str, user: Source) -> Source:
        """The file that a used path names, relative to the file that uses it. Raises SpecError."""
        real = self._resolve(path, user)
        shown = os.path.normpath(os.path.join(self.path, os.path.relpath(real, self._root)))
        with _open(real, shown) as file:
            # A folder on the way may have become a link since the path was followed.
            if os.path.realpath(real) != real:
                raise _outside(path)
            found = os.fstat(file.fileno())
            identity = found.st_dev, found.st_ino
            if identity not in self._files:
                source = Source(shown, self._text(file, shown))
                self._files[identity] = source
                self._homes[source] = os.path.dirname(real)
        return self._files[identity]

    def _resolve(self, path: str, user: Source) -> str:
        """Where a path leads when all links are followed; that place may hold nothing."""
        if "\0" in path or "\\" in path or not path:
            help_ = "it is relative to this file and written with `/`: `parts/blocks.net`"
            raise _failure("unreadable-file", f"`{path}` is not the path of a file", help_)
        real = os.path.realpath(os.path.join(self._homes.get(user, self._root), path))
        absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive
        if absolute or not Path(real).is_relative_to(self._root):
            raise _outside(path)
        return real

    def _text(self, file: BinaryIO, shown: str) -> str:
        """The text of one more file, within the limits."""
        if len(self._homes) >= self.limits.files:
            message = f"{shown} is one file too many"
            raise SpecError(exceeded("files", self.limits, message, None))
        content = file.read(self.limits.source_bytes - self._bytes + 1)
        self._bytes += len(content)
        if self._bytes > self.limits.source_bytes:
            message = "the files that are used are too large together"
            raise SpecError(exceeded("source_bytes", self.limits, message, None))
        return decode(content, shown, self.limits)


def _open(real: str, shown: str) -> BinaryIO:
    """A regular file. Nothing else is read, and a pipe is not waited for."""
    try:
        descriptor = os.open(real, _FLAGS)
    except OSError as error:
        raise _failure("unreadable-file", f"cannot read {shown}: {error.strerror}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(mode) else "not a file"
        raise _failure("unreadable-file", f"cannot read {shown}: it is {what}")
    return open(descriptor, "rb")


def _outside(path: str) -> SpecError:
    message = f"`{path}` leads out of the folder of the spec"
    help_ = "used files stand beside the spec that is compiled, or in folders below it"
    return _failure("outside-folder", message, help_)


def _failure(id: str, message: str, help: str | None = None) -> SpecError:  # noqa: A002
    return SpecError(Diagnostic(id, message, help=help))
