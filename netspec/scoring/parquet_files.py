"""Parquet: row groups to shards, list columns to arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.scoring.batches import Batch, Reading, feeding, placed, shaped
from netspec.scoring.plan import Shard
from netspec.weights import Array, np

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = need("pyarrow", "scale")
    pq = need("pyarrow.parquet", "scale")


def _open(path: str) -> Any:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).split("\n")[0]
        raise SpecError(Diagnostic("unreadable-file", f"cannot read {path}: {reason}")) from None


def cut(files: Sequence[str], rows: int, reading: Reading) -> Iterator[Shard]:
    """Small row groups together, large ones in several shards."""
    for path in files:
        with _open(path) as file:
            _chosen(file, reading, path)
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        start = held = 0
        groups: list[int] = []
        for number, (size, following) in enumerate(zip(sizes, [*sizes[1:], rows], strict=True)):
            groups.append(number)
            held += size
            if held + following <= rows:
                continue
            for skip in range(0, held, rows):
                count = min(rows, held - skip)
                yield Shard(
                    number=0,
                    source=path,
                    start=start + skip,
                    rows=count,
                    groups=tuple(groups),
                    skip=skip,
                )
            start, held, groups = start + held, 0, []


def read(shard: Shard, reading: Reading) -> Iterator[Batch]:
    """The rows of a shard: its row groups are read page by page, what is before it is passed over."""
    path = os.path.join(reading.root, shard.source)
    with _open(path) as file:
        chosen = _chosen(file, reading, shard.source)
        names = list(dict.fromkeys([*(n for row in chosen.values() for n in row), *reading.keys]))
        first, end, at = shard.skip, shard.skip + shard.rows, 0
        for table in file.iter_batches(
            reading.batch, row_groups=list(shard.groups), columns=names, use_threads=False
        ):
            begin, stop = max(first - at, 0), min(end - at, table.num_rows)
            if begin < stop:
                yield _batch(table.slice(begin, stop - begin), shard, at + begin, chosen, reading)
            at += table.num_rows
            if at >= end:
                return


def _chosen(file: Any, reading: Reading, where: str) -> dict[str, tuple[str, ...]]:
    lists = [field.name for field in file.schema_arrow if _is_list(field.type)]
    return feeding(reading, file.schema_arrow.names, lists, where)


def _batch(
    table: Any, shard: Shard, at: int, chosen: dict[str, tuple[str, ...]], reading: Reading
) -> Batch:
    inputs = {}
    for name, columns in chosen.items():
        arrays = [_array(table.column(each), each, shard.source) for each in columns]
        array = arrays[0] if len(arrays) == 1 else _together(arrays, columns, shard.source)
        inputs[name] = shaped(array, reading.inputs[name])
    keys = {key: table.column(key) for key in reading.keys}
    start = shard.start - shard.skip + at
    return Batch(inputs, keys, *placed(shard.source, start, table.num_rows))


def _together(arrays: Sequence[Array], columns: Sequence[str], where: str) -> Array:
    """Columns of single numbers side by side."""
    for array, name in zip(arrays, columns, strict=True):
        if array.ndim != 1:
            raise _unfit(where, name, "holds lists: of several columns each holds one number a row")
    return np.stack(arrays, axis=1)


def _is_list(kind: Any) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _array(column: Any, name: str, where: str) -> Array:
    """A column as an array: one number a row, or lists of equal length, which may hold lists."""
    if isinstance(column, pa.ExtensionArray):
        if isinstance(column.type, pa.FixedShapeTensorType):
            tensor: Array = column.to_numpy_ndarray()
            return tensor
        column = column.storage
    sizes = [len(column)]
    while True:
        if column.null_count:
            raise _unfit(where, name, "holds missing values")
        if not _is_list(column.type):
            break
        count = len(column)
        values = column.flatten()
        size = len(values) // count if count else 0
        if not pa.types.is_fixed_size_list(column.type):
            lengths = np.diff(column.offsets.to_numpy(zero_copy_only=False))
            if (lengths != size).any():
                message = f"holds lists of {lengths.min()} to {lengths.max()} numbers"
                raise _unfit(where, name, message)
        sizes.append(size)
        column = values
    if not (
        pa.types.is_integer(column.type)
        or pa.types.is_floating(column.type)
        or pa.types.is_boolean(column.type)
    ):
        raise _unfit(where, name, f"holds {column.type}, and no numbers")
    array: Array = column.to_numpy(zero_copy_only=False)
    return array.reshape(sizes)


def _unfit(where: str, name: str, fact: str) -> SpecError:
    return SpecError(Diagnostic("unfit-column", f"the column `{name}` of {where} {fact}"))
