"""Turns one shard into one part of the output. What it is told stands in the output folder: any process may be it."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.runtime import Provider, Runner, open_session
from netspec.scoring import sources
from netspec.scoring.batches import Reading
from netspec.scoring.plan import Plan, Shard, read_plan
from netspec.scoring.results import table

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = need("pyarrow", "scale")
    pq = need("pyarrow.parquet", "scale")

HELD = 16 * 2**20
"""Bytes of results that are kept before they are written as a row group."""


class Settings(NamedTuple):
    """How a worker runs: rows at a time, ONNX Runtime's threads (0: as many as there are cores) and provider."""

    batch: int = 256
    threads: int = 0
    provider: Provider = "cpu"


class Scorer:
    """A session over the model of the job in a folder."""

    def __init__(self, folder: str, settings: Settings) -> None:
        plan = read_plan(Path(folder))
        assert plan is not None, folder
        self.folder = Path(folder)
        self.plan: Plan = plan
        self.runner = open_session(plan.model, settings.provider, threads=settings.threads)
        self.reading, self.fixed = reading_of(plan, self.runner, settings.batch)

    def score(self, number: int) -> int:
        """Write the part of the shard of that number; how many rows it has. Memory is bounded by the batch.

        A part that is there already was finished by a worker that died before it could say so.
        """
        shard = self.plan.shards[number]
        if (self.folder / shard.part).exists():
            return shard.rows
        try:
            with _Part(self.folder, shard) as part:
                for batch in sources.read(self.plan, shard, self.reading):
                    part.add(
                        table(batch, self.runner.run(batch.inputs, self.fixed), self.plan.choices)
                    )
        except OSError as error:
            # Of the disk: what is wrong with a file of the data is told by its reader.
            message = f"{self.folder / shard.part} cannot be made: {error.strerror or error}"
            raise SpecError(Diagnostic("unwritable-file", message)) from None
        return part.rows


@lru_cache(maxsize=1)
def scorer(folder: str, settings: Settings) -> Scorer:
    """A worker process's own, which lives from one shard to the next."""
    return Scorer(folder, settings)


def reading_of(plan: Plan, runner: Runner, batch: int) -> tuple[Reading, int | None]:
    """What is read for a model, and the batch that it insists on, if it does."""
    fixed = {spec.sizes[0] for spec in runner.inputs if spec.sizes}
    sizes = [size for size in fixed if isinstance(size, int)]
    reading = Reading(
        inputs={spec.name: spec.sizes[1:] for spec in runner.inputs},
        columns=plan.choices.columns,
        keys=plan.choices.keys,
        batch=sizes[0] if sizes else batch,
        scale=plan.choices.scale,
        root=plan.root,
    )
    return reading, sizes[0] if sizes else None


class _Part:
    """A part on its way: it appears under its name when it is whole and on the disk, and not before."""

    def __init__(self, folder: Path, shard: Shard) -> None:
        self.goal = folder / shard.part
        self.rows = 0
        self._held: list[Any] = []
        self._bytes = 0
        self._writer: Any = None

    def __enter__(self) -> _Part:
        self._written = self.goal.with_name(f".{self.goal.name}.{uuid4().hex}")
        self._file = self._written.open("xb")
        return self

    def add(self, rows: Any) -> None:
        """More rows, a `pyarrow.Table`."""
        self._held.append(rows)
        self._bytes += rows.nbytes
        self.rows += len(rows)
        if self._bytes >= HELD:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, self._held[0].schema)
        whole = pa.concat_tables(self._held)
        self._writer.write_table(whole, row_group_size=len(whole))
        self._held, self._bytes = [], 0

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
                self._writer.close()
                self._file.flush()
                os.fsync(self._file.fileno())
                os.replace(self._written, self.goal)
        finally:
            if self._writer is not None:
                self._writer.is_open = False  # or it would be closed once more when it goes
            self._file.close()
            self._written.unlink(missing_ok=True)
