""".npy and .npz: read in rows, without holding an array whole. Pickled objects are not read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from zipfile import ZipFile

from netspec.arrays import BROKEN
from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.intake import shaped
from netspec.scoring.batches import Batch, Reading, feeding, placed
from netspec.scoring.plan import Shard
from netspec.weights import Array, np

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = need("pyarrow", "scale")

ALONE = "array"
"""What the array of a .npy file is called."""


class _Stored(NamedTuple):
    """An array in a file: where its numbers begin, and what they are."""

    stream: IO[bytes]
    begin: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def rows(self, start: int, count: int) -> Array:
        """Some rows along the first axis."""
        width = int(np.prod(self.shape[1:], dtype=np.int64))
        self.stream.seek(self.begin + start * width * self.dtype.itemsize)
        content = self.stream.read(count * width * self.dtype.itemsize)
        return np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:])


def _arrays(path: str, stack: ExitStack) -> dict[str, _Stored]:
    """The arrays of a file by name. Raises `SpecError` where it is none."""
    try:
        if path.lower().endswith(".npy"):
            return {ALONE: _stored(stack.enter_context(open(path, "rb")))}
        archive = stack.enter_context(ZipFile(path))
        return {
            name.removesuffix(".npy"): _stored(stack.enter_context(archive.open(name)))
            for name in archive.namelist()
        }
    except OSError as error:
        reason = error.strerror or "it is no .npy or .npz file"
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {reason}")) from None
    except BROKEN as error:
        message = f"{path} is no .npy or .npz file that can be read in rows: {error}"
        raise SpecError(Diagnostic("bad-array-file", message)) from None


def _stored(stream: IO[bytes]) -> _Stored:
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise ValueError(f"its format is {version[0]}.{version[1]}")
    shape, fortran, dtype = readers[version](stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if fortran and len(shape) > 1:
        raise ValueError("its rows do not lie together (Fortran order)")
    return _Stored(stream, stream.tell(), shape, dtype)


def cut(files: Sequence[str], rows: int, reading: Reading) -> Iterator[Shard]:
    """Each file in shards of so many rows."""
    for path in files:
        with ExitStack() as stack:
            arrays = _arrays(path, stack)
            total = _length(arrays, _chosen(arrays, reading, path), reading.keys, path)
        for start in range(0, total, rows):
            yield Shard(number=0, source=path, start=start, rows=min(rows, total - start))


def read(shard: Shard, reading: Reading) -> Iterator[Batch]:
    """The rows of a shard, a batch at a time."""
    path = os.path.join(reading.root, shard.source)
    with ExitStack() as stack:
        arrays = _arrays(path, stack)
        chosen = _chosen(arrays, reading, shard.source)
        for start in range(shard.start, shard.start + shard.rows, reading.batch):
            count = min(reading.batch, shard.start + shard.rows - start)
            inputs = {}
            for name, (first, *more) in chosen.items():
                array = arrays[first].rows(start, count)
                if more:
                    array = np.stack([array, *(arrays[n].rows(start, count) for n in more)], axis=1)
                inputs[name] = shaped(array, reading.inputs[name])
            keys = {key: _key(arrays[key].rows(start, count), key, path) for key in reading.keys}
            yield Batch(inputs, keys, *placed(shard.source, start, count))


def _chosen(
    arrays: Mapping[str, _Stored], reading: Reading, where: str
) -> dict[str, tuple[str, ...]]:
    wide = [name for name, array in arrays.items() if len(array.shape) > 1]
    return feeding(reading, list(arrays), wide or list(arrays), where)


def _length(
    arrays: Mapping[str, _Stored],
    chosen: Mapping[str, tuple[str, ...]],
    keys: Sequence[str],
    where: str,
) -> int:
    """How many rows the arrays that are wanted have. Raises `SpecError` where they disagree."""
    wanted = [*(name for row in chosen.values() for name in row), *keys]
    lengths = {name: arrays[name].shape[:1] for name in wanted}
    if len(set(lengths.values())) > 1 or () in lengths.values():
        said = ", ".join(f"`{name}` {n[0] if n else 'no'}" for name, n in lengths.items())
        message = f"the arrays of {where} differ in their rows: {said}"
        raise SpecError(Diagnostic("unequal-inputs", message))
    return next(iter(lengths.values()))[0]


def _key(array: Array, name: str, where: str) -> Any:
    if array.ndim != 1:
        message = f"the array `{name}` of {where} has {array.ndim} axes: a key is one value a row"
        raise SpecError(Diagnostic("unfit-column", message))
    return pa.array(array)
