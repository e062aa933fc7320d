"""What a network is given, from files: arrays, pictures, tables of numbers. Knows no spec and no runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple, TypeAlias

from netspec.arrays import load_arrays, split_name
from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.images import MODES, SUFFIXES, Resizing, pixels
from netspec.tables import data_places, is_table, open_table, places
from netspec.weights import Array, np

Sizes: TypeAlias = Sequence[object]
"""The sizes of an input without its batch; what is no whole number is free."""

Given: TypeAlias = "Array | dict[str, Array]"


class Pictures(NamedTuple):
    """How pixels become numbers: `(pixel * scale - mean) / std`, by channel; and whether pictures may be resized."""

    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: Resizing | None = None


PICTURES = Pictures()
"""Pixels from 0 to 1."""


def load_inputs(
    paths: Sequence[str],
    wanted: Mapping[str, Sizes] | None,
    pictures: Pictures = PICTURES,
    columns: Sequence[str] = (),
) -> tuple[Given, list[str]]:
    """The arrays in files, and what to call their rows: the names of pictures, else numbers.

    A path may have `NAME=` in front. Pictures of one name are one batch, in their order; a folder is all pictures in
    it. A table's rows are examples, their numbers taken from `columns` if given, in the input's shape. `wanted` are the
    inputs of the network, None where it has the shape of what it is given. Raises `SpecError`.
    """
    named = [split_name(path) for path in paths]
    loose = [f"{name}={file}" if name else file for name, file in named if _kind(file) == "array"]
    single = len({name for name, _ in named}) == 1 and named[0][0] == ""
    if len(loose) == len(paths):
        given = load_arrays(paths)
        return given, _numbered(given)
    if not single and any(not name for name, file in named if _kind(file) != "array"):
        message = "there are several inputs, and one of the files has no name"
        raise SpecError(Diagnostic("unnamed-array", message, help="write NAME=FILE"))
    found: dict[str, Array] = {}
    labels: list[str] = []
    for name in dict.fromkeys(name for name, file in named if _kind(file) != "array"):
        files = [file for other, file in named if other == name]
        sizes = _sizes(wanted, name)
        if all(_kind(file) == "picture" for file in files):
            shown = [each for file in files for each in _files(file)]
            found[name] = load_pictures(shown, sizes, pictures)
            labels = labels or shown
        elif len(files) == 1 and _kind(files[0]) == "table":
            found[name] = _table(files[0], sizes, columns)
        else:
            message = f"{' and '.join(files[:2])} cannot be one batch"
            raise SpecError(Diagnostic("unlike-files", message, help="give pictures, or one file"))
    if single:
        (array,) = found.values()
        return array, labels or _numbered(array)
    if loose:
        arrays = load_arrays(loose)
        assert isinstance(arrays, dict)
        found |= arrays
    return found, labels or _numbered(found)


def _kind(file: str) -> str:
    lower = file.lower()
    if is_table(file):
        return "table"
    return "picture" if lower.endswith(SUFFIXES) or os.path.isdir(file) else "array"


def _numbered(given: Given) -> list[str]:
    arrays = given.values() if isinstance(given, dict) else [given]
    return [str(row) for row in range(min((len(each) for each in arrays if each.ndim), default=0))]


def _sizes(wanted: Mapping[str, Sizes] | None, name: str) -> Sizes | None:
    """The sizes of the input of that name, or of the only one; None where there is none such."""
    if wanted is None:
        return None
    if not name and len(wanted) == 1:
        return next(iter(wanted.values()))
    if name not in wanted:
        known = f"the inputs are {', '.join(f'`{each}`' for each in wanted)}"
        message = f"the model has no input `{name}`" if name else "the model takes several inputs"
        raise SpecError(
            Diagnostic("unknown-input", message, help=did_you_mean(name, wanted) or known)
        )
    return wanted[name]


# ---- pictures ----


def pictures_in(folder: str) -> list[str]:
    """The pictures in a folder, in the order of their names; those that begin with `_` or a dot are none."""
    names = sorted(name for name in os.listdir(folder) if name[0] not in "._")
    return [os.path.join(folder, name) for name in names if name.lower().endswith(SUFFIXES)]


def _files(path: str) -> list[str]:
    """A file, or all pictures of a folder. Raises `SpecError` where there is none."""
    if not os.path.isdir(path):
        return [path]
    if not (found := pictures_in(path)):
        inner = sorted(each.path for each in os.scandir(path) if each.is_dir())
        cure = f"a folder is read without those in it: name one, as {inner[0]}" if inner else None
        message = f"cannot read {path}: no picture is in it"
        raise SpecError(Diagnostic("unreadable-file", message, help=cure))
    return found


def load_pictures(files: Sequence[str], sizes: Sizes | None, how: Pictures) -> Array:
    """`(n, c, h, w)`, float32, for an input of these sizes. Raises `SpecError`."""
    sizes = (3, None, None) if sizes is None else sizes
    channels = sizes[0]
    if len(sizes) != 3 or not isinstance(channels, int) or channels not in MODES:
        message = f"the input takes {_said(sizes)}, which is no picture of 1, 3 or 4 channels"
        raise SpecError(Diagnostic("wrong-input-rank", message))
    height, width = sizes[1:]
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    if how.resize is not None and size is None:
        message = f"the input takes {_said(sizes)}: there is no size to bring pictures to"
        raise SpecError(Diagnostic("wrong-input-size", message))
    made = [pixels(file, channels, size=size, resize=how.resize) for file in files]
    goal = size or made[0].shape[1:]
    for file, array in zip(files, made, strict=True):
        if array.shape[1:] == goal:
            continue
        message = f"{file} is {_said(array.shape[1:])}, not {_said(goal)} (height x width)"
        cure = "--resize crop, or --resize stretch, brings pictures to the input's size"
        raise SpecError(Diagnostic("wrong-input-size", message, help=cure if size else None))
    normal = np.stack(made).astype(np.float32)
    normal *= np.float32(how.scale)
    normal -= _by_channel("mean", how.mean, channels)
    normal /= _by_channel("std", how.std, channels)
    return normal


def _by_channel(word: str, values: Sequence[float], channels: int) -> Array:
    if len(values) not in (1, channels):
        message = f"--{word} has {len(values)} numbers, and pictures have {channels} channels"
        raise SpecError(Diagnostic("bad-normalisation", message))
    if word == "std" and 0 in values:
        raise SpecError(Diagnostic("bad-normalisation", "--std has a zero"))
    return np.array(values, np.float32).reshape(-1, 1, 1)


# ---- tables ----


def _table(path: str, sizes: Sizes | None, columns: Sequence[str]) -> Array:
    """`(rows, *sizes)`: whole numbers where all are, else float64."""
    table = open_table(path)
    chosen = places(table, columns) if columns else data_places(table)
    numbers = table.read(chosen).numbers
    if sizes is None or not all(isinstance(size, int) for size in sizes):
        return numbers
    found = shaped(numbers, sizes)
    if found.shape[1:] != tuple(sizes):
        held = f"{len(chosen)} columns of numbers"
        if len(chosen) == 1 and numbers.ndim > 1:
            held = f"lists of {_said(numbers.shape[1:])} numbers"
        message = f"{path} has {held}, and the input takes {_said(sizes)}"
        cure = None if columns else "--columns chooses some by their names"
        raise SpecError(Diagnostic("wrong-input-size", message, help=cure))
    return found


def shaped(array: Array, sizes: Sizes) -> Array:
    """Rows whose numbers lie in one list, in the shape of the input, where that is known; others as they are."""
    known = [size for size in sizes if isinstance(size, int)]
    if array.ndim == 1 + len(sizes) or len(known) < len(sizes):
        return array
    flat = array.reshape(len(array), prod(array.shape[1:]))
    return flat.reshape(len(array), *known) if flat.shape[1] == prod(known) else array


def _said(sizes: Sizes) -> str:
    return " x ".join("?" if size is None else str(size) for size in sizes)
