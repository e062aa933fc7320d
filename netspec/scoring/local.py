"""Shards on this machine: one after another in this process, or in several processes, of which any may die."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from netspec.diagnostics import Diagnostic, SpecError
from netspec.scoring.worker import Scorer, Settings

ATTEMPTS = 3
"""Deaths of workers in a row, without a shard done between them, after which the job gives up."""


def run(
    folder: str, numbers: Sequence[int], settings: Settings, workers: int
) -> Iterator[tuple[int, int]]:
    """The number and the rows of each shard that is done, in whatever order. Raises `SpecError`."""
    if workers == 1:
        scorer = Scorer(folder, settings)
        yield from ((number, scorer.score(number)) for number in numbers)
        return
    waiting, deaths = set(numbers), 0
    while waiting:
        try:
            for number, rows in _pooled(folder, sorted(waiting), settings, workers):
                waiting.remove(number)
                deaths = 0
                yield number, rows
        except BrokenProcessPool:
            deaths += 1
            if deaths == ATTEMPTS:
                message = f"{deaths} times in a row a worker died before any part was done"
                help_ = "it may lack memory: choose a smaller --batch or fewer --workers"
                raise SpecError(Diagnostic("worker-lost", message, help=help_)) from None


def _pooled(
    folder: str, numbers: Sequence[int], settings: Settings, workers: int
) -> Iterator[tuple[int, int]]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(numbers)), context, initializer=_begin, initargs=(folder, settings)
    ) as pool:
        futures = {pool.submit(_score, number): number for number in numbers}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_scorer: Scorer | None = None
"""A worker's own, as long as it lives."""


def _begin(folder: str, settings: Settings) -> None:
    global _scorer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _scorer = Scorer(folder, settings)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _score(number: int) -> int:
    assert _scorer is not None
    return _scorer.score(number)
