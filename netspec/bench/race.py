"""Entrants side by side: loaded, judged by their answers, timed in turns. Knows no runtime and no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeAlias

from netspec.bench.engine import Arrays, write_arrays
from netspec.bench.pairing import Spread, ratios, take_turns
from netspec.bench.workers import Entrant, Failed, Worker
from netspec.processes import side_by_side, tidy

TURN = 0.05
"""Seconds that a turn should take: a run that is shorter is repeated."""

MOST_RUNS = 10_000

Progress: TypeAlias = Callable[[str], None]
"""Is told in a few words what is going on."""

Judge: TypeAlias = Callable[[str, int, Arrays], str | None]
"""What is wrong with an entrant's answer to a batch, or None."""


class Fault(NamedTuple):
    """An entrant that was not timed: what went wrong, and the last words of its process if it crashed."""

    name: str
    reason: str
    stderr: str = ""


class Row(NamedTuple):
    """An entrant at a batch size: seconds of a run, and the same in units of the first entrant's in the same round."""

    name: str
    batch: int
    seconds: Spread
    ratio: Spread


class Race(NamedTuple):
    """Rows batch by batch, in the order of the entrants, and the entrants that have none."""

    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]


def race(
    entrants: Sequence[Entrant],
    feeds: Mapping[int, Arrays],
    *,
    judge: Judge,
    threads: int = 1,
    rounds: int = 20,
    clock: str = "wall",
    progress: Progress = lambda _: None,
) -> Race:
    """Time entrants on these batches, each in a process of its own, in turns, on `threads` threads.

    Each first answers every batch; one that crashes, or of which the judge says what is wrong, is not timed.
    Only one computes at a time once the clock runs, which is one of `pairing.CLOCKS`.
    """
    with tidy(), TemporaryDirectory(prefix="netspec-bench-") as name, ExitStack() as stack:
        home = Path(name)
        for batch, arrays in feeds.items():
            write_arrays(home / f"feeds.{batch}.npz", arrays)
        faults: list[Fault] = []
        ready: list[Worker] = []

        def admit(entrant: Entrant) -> Worker | Fault:
            progress(f"loading {entrant.name}")
            worker = stack.enter_context(Worker(entrant, home, threads))
            try:
                worker.wait()
                for batch in feeds:
                    wrong = judge(entrant.name, batch, worker.answer(batch))
                    if wrong is not None:
                        return Fault(entrant.name, f"at batch {batch}, {wrong}")
            except Failed as failed:
                return Fault(entrant.name, failed.reason, failed.stderr)
            return worker

        for found in side_by_side(admit, entrants, stack.close):
            if isinstance(found, Fault):
                faults.append(found)
            else:
                ready.append(found)
        rows = [row for batch in feeds for row in _time(ready, batch, rounds, clock, progress)]
    return Race(tuple(rows), tuple(faults))


def _time(
    workers: Sequence[Worker], batch: int, rounds: int, clock: str, progress: Progress
) -> Iterator[Row]:
    if not workers:
        return
    counts = [_count(worker, batch) for worker in workers]
    runs = [
        partial(worker.time, batch, count, clock)
        for worker, count in zip(workers, counts, strict=True)
    ]
    taken: list[tuple[float, ...]] = []
    for number, seconds in enumerate(take_turns(runs, rounds), start=1):
        progress(f"batch {batch}: round {number} of {rounds}")
        taken.append(seconds)
    for place, worker in enumerate(workers):
        seconds_of = Spread.of(each[place] for each in taken)
        yield Row(worker.name, batch, seconds_of, ratios(taken, place))


def _count(worker: Worker, batch: int) -> int:
    """How often to run in a turn, by the faster of two trials."""
    seconds = min(worker.time(batch, 1, "wall"), worker.time(batch, 2, "wall"))
    return max(1, min(MOST_RUNS, round(TURN / seconds)))
