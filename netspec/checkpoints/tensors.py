"""What a checkpoint is to the rest: named tensors, and the places that a network has for them. Knows no format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, SpecError
from netspec.weights import Array, np


class Tensor(NamedTuple):
    """One array of a file, in the layout of the file's format (ONNX's in PyTorch's: `note` says what was turned).

    Within a `group` the tensors stand in the order of the network that was saved.
    """

    name: str
    array: Array
    group: str = ""
    note: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        return tuple(self.array.shape)


class Place(NamedTuple):
    """Where a format keeps one or more of a network's canonical `weights`: what it calls it, and its shape there."""

    name: str
    shape: tuple[int, ...]
    weights: tuple[str, ...]
    group: str = ""


class Checkpoint(NamedTuple):
    """What stands in a file: `target` is the backend whose names and layouts it has, `about` is for the reader.

    Where it is not `ordered`, the file does not tell the order in which the network has its tensors. `layers` are the
    names of all layers, where a format has them.
    """

    path: str
    format: str
    target: str
    tensors: tuple[Tensor, ...]
    ordered: bool = True
    layers: frozenset[str] = frozenset()
    about: Mapping[str, str] = {}


def natural(name: str) -> tuple[tuple[str, int], ...]:
    """A key that sorts `a2` before `a10`."""
    return tuple((word, int(number or -1)) for word, number in re.findall(r"(\D*)(\d*)", name))


def dims(shape: Sequence[int]) -> str:
    """`16 x 3 x 3 x 3`."""
    return " x ".join(map(str, shape)) or "a single number"


def widened(array: Array) -> Array:
    """Half precision as float32, which holds every number of it; other arrays as they are."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def bad_file(path: str, reason: str, help: str | None = None) -> SpecError:  # noqa: A002 (a diagnostic's word)
    """A file that is broken, or is none of its format."""
    return SpecError(Diagnostic("bad-weight-file", f"{path} {reason}", help=help))


def unsafe_file(path: str, reason: str, help: str | None = None) -> SpecError:  # noqa: A002
    """A file that would run code, reach for other files, or take more memory than it has bytes."""
    return SpecError(Diagnostic("unsafe-file", f"{path} {reason}", help=help))


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines, the first column to the left and the others as they are."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
