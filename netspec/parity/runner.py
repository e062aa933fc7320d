"""Runs a task on several targets at once, each in a fresh process. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from netspec import processes
from netspec.parity.exchange import Answer, Task, read_answer

_TAIL = 20
"""Lines of a crashed worker's last words that are kept."""

_CHANGES = {
    "KERAS_BACKEND": "tensorflow",
    # Accelerators round products to TF32 by default; what is compared here is the meaning.
    "CUDA_VISIBLE_DEVICES": "-1",
}


class Job(NamedTuple):
    """A target in a precision."""

    target: str
    precision: str


class Crash(NamedTuple):
    """A worker that gave no answer: how it ended, and its last words."""

    job: Job
    ending: str
    stderr: str


def run_jobs(task: Task, jobs: Iterable[Job]) -> dict[Job, Answer | Crash]:
    """Every job's answer to the task, or how it crashed."""
    wanted = list(dict.fromkeys(jobs))
    with processes.tidy(), TemporaryDirectory(prefix="netspec-verify-") as name:
        folder = Path(name)
        task.write(folder)
        runs = processes.Runs(folder, _CHANGES)
        answers = processes.side_by_side(partial(_run, folder, runs), wanted, runs.stop)
        return dict(zip(wanted, answers, strict=True))


def _run(folder: Path, runs: processes.Runs, job: Job) -> Answer | Crash:
    code, words = runs.run("netspec.parity.worker", str(folder), *job)
    if code == 0:
        return read_answer(folder / f"{job.target}.{job.precision}.npz")
    return Crash(job, processes.ending(code), processes.last_lines(words, _TAIL))
