"""Arrays in files: .npy for one, .npz for several by name. Knows nothing of networks."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile, ZipFile

from netspec.diagnostics import Diagnostic, SpecError
from netspec.weights import Array, np

BROKEN = (ValueError, EOFError, TokenError, BadZipFile, zlib.error, RuntimeError)
"""What NumPy and `zipfile` raise for a file that is none, is damaged, encrypted or compressed in another way."""


def load_arrays(paths: Sequence[str]) -> Array | dict[str, Array]:
    """The array of one .npy file, or arrays by name: from .npz files, and from .npy files given as NAME=FILE.

    Raises `SpecError` where a file cannot be read or holds Python objects.
    """
    named: dict[str, Array] = {}
    for path in paths:
        name, file = split_name(path)
        content = _read(file)
        if isinstance(content, np.ndarray):
            if not name:
                if len(paths) == 1:
                    return content
                message = f"{file} holds one array, and there are several inputs"
                raise SpecError(Diagnostic("unnamed-array", message, help=f"write NAME={file}"))
            content = {name: content}
        if twice := named.keys() & content.keys():
            message = f"{file} gives `{min(twice)}` a second time"
            raise SpecError(Diagnostic("duplicate-name", message, help="give each input once"))
        named.update(content)
    return named


def split_name(path: str) -> tuple[str, str]:
    """`NAME=FILE` as its parts, the name empty where there is none: a file may be called `lr=0.1.npy`, too."""
    name, equals, file = path.partition("=")
    return (name, file) if equals and not os.path.exists(path) else ("", path)


def _read(path: str) -> Array | dict[str, Array]:
    try:
        content = np.load(path, allow_pickle=False, mmap_mode="r")  # of a .npy, what is used of it
        if isinstance(content, np.ndarray):
            return content
        with content:
            return dict(content)
    except OSError as error:
        reason = error.strerror or "it is no .npy or .npz file"
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {reason}")) from None
    except BROKEN as error:
        raise SpecError(
            Diagnostic("bad-array-file", f"{path} is no .npy or .npz file: {error}")
        ) from None


def dump_arrays(arrays: Mapping[str, Array], path: str) -> bytes:
    """The content of a .npz file, or of any other name a .npy file, which holds one array only."""
    buffer = BytesIO()
    if Path(path).suffix == ".npz":
        with ZipFile(buffer, "w") as archive:  # `np.savez` takes no array called `file`
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.save(member, array)
    elif len(arrays) == 1:
        np.save(buffer, next(iter(arrays.values())))
    else:
        message = f"{path} holds one array, and there are {len(arrays)} outputs"
        raise SpecError(Diagnostic("several-outputs", message, help="name a .npz file"))
    return buffer.getvalue()


def describe(arrays: Mapping[str, Array]) -> str:
    """What arrays hold, a line for each, and their values where these are few."""
    lines = []
    for name, array in arrays.items():
        spread = f", from {array.min():.6g} to {array.max():.6g}" if array.size else ""
        lines.append(f"{name}: {' x '.join(map(str, array.shape))} {array.dtype}{spread}")
        if array.size <= 100:
            lines.append(np.array2string(array, precision=6, suppress_small=True))
    return "\n".join(lines)
