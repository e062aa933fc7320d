"""Runs many trainings, one after the other or in several processes. Knows nothing of what they are for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from typing import TYPE_CHECKING, NamedTuple

from netspec.processes import pool
from netspec.training import Data, History, Recipe, train

if TYPE_CHECKING:
    from netspec.ir import Graph


class Job(NamedTuple):
    """A training, under a name that tells it from others."""

    name: str
    graph: Graph
    data: Data
    recipe: Recipe
    framework: str


class Outcome(NamedTuple):
    """What a training came to. `score` is its metric on the test part, or else on the validation part."""

    name: str
    seed: int
    score: float
    history: History
    ended: str


def metric_of(outcomes: Sequence[Outcome]) -> str:
    """The metric that the scores are: `accuracy` or `mae`."""
    return next(c for c in outcomes[0].history.columns if c in ("accuracy", "mae"))


def run(job: Job) -> Outcome:
    """Train once. The data must hold something out."""
    result = train(job.graph, job.data, job.recipe, job.framework)
    rows = result.history.rows
    score = float("nan")
    if rows and result.ended != "diverged":
        name = next(c for c in result.history.columns if c in ("accuracy", "mae"))
        stopped = job.recipe.early_stopping is not None and result.best is not None
        row = rows[(result.best or 0) - 1 if stopped else -1]
        score = row[f"val_{name}"] if result.test is None else result.test[name]
    return Outcome(job.name, job.recipe.seed, score, result.history, result.ended)


def run_all(jobs: Sequence[Job], processes: int, watch: Callable[[Outcome], None]) -> list[Outcome]:
    """The outcomes of all jobs, in their order; after Ctrl-C of those that were finished."""
    done: dict[int, Outcome] = {}
    try:
        for index, outcome in _outcomes(jobs, processes):
            if outcome.ended == "interrupted":
                break
            done[index] = outcome
            watch(outcome)
    except KeyboardInterrupt:
        pass
    return [done[index] for index in sorted(done)]


def _outcomes(jobs: Sequence[Job], processes: int) -> Iterator[tuple[int, Outcome]]:
    if processes == 1:
        yield from ((index, run(job)) for index, job in enumerate(jobs))
        return
    with pool(processes, single_threaded) as executor:
        waiting = {executor.submit(run, job): index for index, job in enumerate(jobs)}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def single_threaded() -> None:
    """Prepares a process that is one of several: its arithmetic has one thread."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"
