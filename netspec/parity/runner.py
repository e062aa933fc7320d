"""Runs a task on several targets at once, each in a fresh process. Judges nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
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
    with (
        TemporaryDirectory(prefix="netspec-verify-") as name,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        folder = Path(name)
        task.write(folder)
        answers = pool.map(lambda job: _run(folder, job), wanted)
        return dict(zip(wanted, answers, strict=True))


def _run(folder: Path, job: Job) -> Answer | Crash:
    done = processes.run(
        "netspec.parity.worker", str(folder), *job, folder=folder, changes=_CHANGES
    )
    if done.returncode == 0:
        return read_answer(folder / f"{job.target}.{job.precision}.npz")
    return Crash(job, processes.ending(done.returncode), processes.last_lines(done.stderr, _TAIL))
