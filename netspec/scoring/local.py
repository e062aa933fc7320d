"""Shards on this machine: one after another in this process, or in several processes, of which any may die."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool

from netspec.diagnostics import Diagnostic, SpecError
from netspec.processes import pool
from netspec.scoring.worker import Scorer, Settings, scorer

ATTEMPTS = 3
"""Deaths of workers in a row, without a shard done between them, after which the job gives up."""


def run(
    folder: str, numbers: Sequence[int], settings: Settings, workers: int
) -> Iterator[tuple[int, int]]:
    """The number and the rows of each shard that is done, in whatever order. Raises `SpecError`."""
    if workers == 1:
        alone = Scorer(folder, settings)
        yield from ((number, alone.score(number)) for number in numbers)
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
    with pool(min(workers, len(numbers)), _end_at_once) as executor:
        futures = {executor.submit(_score, folder, settings, number): number for number in numbers}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _end_at_once() -> None:
    """At Ctrl-C, and without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _score(folder: str, settings: Settings, number: int) -> int:
    return scorer(folder, settings).score(number)
