"""Finds the files of a dataset, cuts them into shards and reads these in batches. Knows no model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from netspec.arrays import BROKEN
from netspec.diagnostics import Diagnostic, SpecError
from netspec.images import SUFFIXES
from netspec.scoring import images, numpy_files, parquet_files
from netspec.scoring.batches import Batch, Reading
from netspec.scoring.plan import Plan, Shard
from netspec.tables import is_table

_DAMAGE = (OSError, *BROKEN)
"""What libraries raise for a file that is not what it seemed; Arrow's own is a `ValueError`."""


class Kind(NamedTuple):
    """A kind of dataset: how its files are cut into shards of so many rows, and how one is read."""

    word: str
    cut: Callable[[Sequence[str], int, Reading], Iterator[Shard]]
    read: Callable[[Shard, Reading], Iterator[Batch]]


KINDS: Mapping[str, Kind] = {
    ".parquet": (_parquet := Kind("Parquet", parquet_files.cut, parquet_files.read)),
    ".pq": _parquet,
    ".npz": (_numpy := Kind("NumPy", numpy_files.cut, numpy_files.read)),
    ".npy": _numpy,
    **dict.fromkeys(SUFFIXES, Kind("image", images.cut, images.read)),
}
"""By the suffix of a file."""


def find_files(patterns: Sequence[str], output: Path) -> list[str]:
    """The data files of paths, folders (with all below them) and patterns, sorted, each once.

    What is in the output folder is none of them. Raises `SpecError` where there are none, or several kinds.
    """
    found, own = dict[str, None](), output.resolve()
    for pattern in patterns:
        is_path = os.path.exists(pattern) or not has_magic(pattern)
        paths = [pattern] if is_path else glob(pattern, recursive=True)
        before = len(found)
        for path in sorted(paths):
            below = _below(path) if os.path.isdir(path) else [path]
            found.update((each, None) for each in below if own not in Path(each).resolve().parents)
        if len(found) == before:
            message = f"there are no data files at {pattern}"
            help_ = f"files end with {', '.join(KINDS)}"
            raise SpecError(Diagnostic("no-data", message, help=help_))
    words = {kind_of(path).word for path in found}
    if len(words) > 1:
        message = f"the files are of several kinds: {', '.join(sorted(words))}"
        raise SpecError(Diagnostic("mixed-data", message, help="score each kind on its own"))
    missing = next((path for path in found if not os.path.isfile(path)), None)
    if missing is not None:
        raise SpecError(
            Diagnostic("unreadable-file", f"cannot read {missing}: there is no such file")
        )
    return list(found)


def _below(folder: str) -> list[str]:
    """Data files in a folder and below; names that begin with `_` or a dot are no data."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        data = (name for name in sorted(names) if name[0] not in "._")
        found += [str(Path(place, name)) for name in data if Path(name).suffix.lower() in KINDS]
    return found


def kind_of(path: str) -> Kind:
    """What a file's name says that it is. Raises `SpecError`."""
    suffix = Path(path).suffix.lower()
    if suffix not in KINDS:
        message = f"{path} is no data file that can be scored"
        cure = (
            "write the table as Parquet" if is_table(path) else f"files end with {', '.join(KINDS)}"
        )
        raise SpecError(Diagnostic("no-data", message, help=cure))
    return KINDS[suffix]


def cut(files: Sequence[str], rows: int, reading: Reading) -> tuple[Shard, ...]:
    """Shards of at most so many rows, numbered in the order of the files.

    Raises `SpecError` where there is no row, or not the columns that are asked for.
    """
    shards = tuple(
        shard.model_copy(update={"number": number})
        for number, shard in enumerate(kind_of(files[0]).cut(files, rows, reading))
    )
    if not shards:
        raise SpecError(Diagnostic("no-data", f"there are no rows in {', '.join(files)}"))
    return shards


def read(plan: Plan, shard: Shard, reading: Reading) -> Iterator[Batch]:
    """A shard's rows, in batches. Raises `SpecError` where a file is damaged or has changed since it was planned."""
    source, count = shard.files[0] if shard.files else shard.source, 0
    try:
        for batch in kind_of(source).read(shard, reading._replace(root=plan.root)):
            count += len(batch.rows)
            yield batch
    except _DAMAGE as error:
        reason = str(error).split("\n")[0] or "it ends too soon"
        raise SpecError(
            Diagnostic("unreadable-file", f"cannot read {shard.source}: {reason}")
        ) from None
    if count != shard.rows:
        message = f"{shard.source} has not the rows that it had when the job was planned"
        raise SpecError(Diagnostic("changed-data", message, help="score it into another folder"))
