"""Parquet: row groups to shards, columns to batches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from netspec.intake import shaped
from netspec.scoring.batches import Batch, Reading, feeding, placed
from netspec.scoring.plan import Shard
from netspec.tables.arrow import array_of, is_list, open_file, together


def cut(files: Sequence[str], rows: int, reading: Reading) -> Iterator[Shard]:
    """Small row groups together, large ones in several shards."""
    for path in files:
        with open_file(path) as file:
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
    with open_file(path) as file:
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
    lists = [field.name for field in file.schema_arrow if is_list(field.type)]
    return feeding(reading, file.schema_arrow.names, lists, where)


def _batch(
    table: Any, shard: Shard, at: int, chosen: dict[str, tuple[str, ...]], reading: Reading
) -> Batch:
    inputs = {}
    start = shard.start - shard.skip + at
    for name, columns in chosen.items():
        arrays = [array_of(table.column(each), each, shard.source, start) for each in columns]
        array = arrays[0] if len(arrays) == 1 else together(arrays, columns, shard.source)
        inputs[name] = shaped(array, reading.inputs[name])
    keys = {key: table.column(key) for key in reading.keys}
    return Batch(inputs, keys, *placed(shard.source, start, table.num_rows))
