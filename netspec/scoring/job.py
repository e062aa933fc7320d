"""A job from its beginning, or from where it was left, to its proof: plan, engine, parts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from glob import escape, glob
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from netspec.files import write_atomically
from netspec.runtime import Provider, open_session
from netspec.scoring import local, sources
from netspec.scoring.plan import (
    MODEL,
    Choices,
    Plan,
    described,
    digest_of,
    pending,
    prove,
    settled,
)
from netspec.scoring.worker import Settings, reading_of

Engine = Literal["auto", "local", "ray"]

SMALL = 100_000
"""Rows that one process scores before several have started."""


class Running(NamedTuple):
    """How a job runs; none of it changes what it computes.

    `workers` are processes; where not given, one for a small dataset, else one for each core. `auto` takes Ray
    where it is installed and there are several workers. A part has at most `part_rows` rows.
    """

    engine: Engine = "auto"
    workers: int | None = None
    batch: int = 256
    part_rows: int = 16_384
    provider: Provider = "cpu"


class Summary(NamedTuple):
    """What a run did: rows of the dataset, those that it scored itself, parts, the time, and by what."""

    rows: int
    scored: int
    parts: int
    seconds: float
    engine: str
    workers: int


Watch = Callable[[int, int], None]
"""Is told after each part how many rows are done, and of how many."""


def score(
    model: bytes | str,
    data: Sequence[str],
    folder: str | Path,
    choices: Choices | None = None,
    running: Running | None = None,
    watch: Watch = lambda *_: None,
) -> Summary:
    """Score the files of `data` (paths, folders, patterns) with an ONNX model or the path of one, into a folder.

    The folder gets `part-000000.parquet` and so on, each complete or absent: a run that was stopped goes on where
    it was when it is repeated. Raises `SpecError` for what is wrong with model, data or folder.
    """
    choices, running, goal = choices or Choices(), running or Running(), Path(folder)
    plan = _plan(model, data, goal, choices, running)
    with settled(goal, plan):
        if isinstance(model, bytes) and not (goal / MODEL).exists():
            write_atomically(goal / MODEL, model)
        return _finish(goal, plan, running, watch)


def _finish(goal: Path, plan: Plan, running: Running, watch: Watch) -> Summary:
    """Do what is not done yet, and prove that all is there."""
    waiting = pending(goal, plan)
    left = sum(shard.rows for shard in waiting)
    workers = running.workers or (1 if left <= SMALL else os.cpu_count() or 1)
    workers = max(1, min(workers, len(waiting)))
    engine = _engine(running.engine, workers, left)
    began, done = time.monotonic(), plan.rows - left
    watch(done, plan.rows)
    settings = Settings(running.batch, _threads(workers), running.provider)
    numbers = [shard.number for shard in waiting]
    for _, rows in _run(engine, str(goal.absolute()), numbers, settings, workers):
        done += rows
        watch(done, plan.rows)
    prove(goal, plan)
    seconds = time.monotonic() - began
    return Summary(plan.rows, left, len(plan.shards), seconds, engine, workers)


def _plan(
    model: bytes | str, data: Sequence[str], goal: Path, choices: Choices, running: Running
) -> Plan:
    path = os.path.abspath(goal / MODEL if isinstance(model, bytes) else model)
    files = sources.find_files(data, goal)
    weights = sorted(glob(f"{escape(path)}[._]*"))  # of a model that keeps them in files beside it
    plan = Plan(
        model=path,
        digest=sha256(model).hexdigest() if isinstance(model, bytes) else digest_of(path),
        root="" if all(map(os.path.isabs, files)) else os.getcwd(),
        files=described([*weights, *files]),
        choices=choices,
        shards=(),
    )
    reading, _ = reading_of(plan, open_session(model), running.batch)
    shards = sources.cut(files, running.part_rows, reading._replace(root=""))
    return plan.model_copy(update={"shards": shards})


def _engine(asked: Engine, workers: int, rows: int) -> str:
    if asked != "auto":
        return asked
    large = workers > 1 and rows > SMALL
    return "ray" if large and find_spec("ray") is not None else "local"


def _threads(workers: int) -> int:
    """Of each worker, so that together they use the cores once."""
    return 0 if workers == 1 else max(1, (os.cpu_count() or 1) // workers)


def _run(
    engine: str, folder: str, numbers: Sequence[int], settings: Settings, workers: int
) -> Iterator[tuple[int, int]]:
    if not numbers:
        return iter(())
    if engine == "ray":
        from netspec.scoring import ray_engine

        return ray_engine.run(folder, numbers, settings, workers)
    return local.run(folder, numbers, settings, workers)
