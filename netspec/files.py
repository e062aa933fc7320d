"""Writes files whole. Knows nothing of what is in them."""

from __future__ import annotations

import os
from pathlib import Path

from netspec.diagnostics import Diagnostic, SpecError


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace a file in one step: readers see the old content or the new, never a part."""
    from tempfile import NamedTemporaryFile

    path = Path(path)
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                os.unlink(file.name)
                raise
        os.chmod(file.name, 0o666 & ~_umask())
        os.replace(file.name, path)
    except OSError as error:
        raise SpecError(
            Diagnostic("unwritable-file", f"cannot write {path}: {error.strerror}")
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
