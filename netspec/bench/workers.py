"""Starts workers and talks to them. Knows no runtime, and judges nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from netspec import processes
from netspec.bench.engine import Arrays, read_arrays

_TAIL = 12
"""Lines of a worker's last words that are kept."""


class Entrant(NamedTuple):
    """What is timed under a name: an engine, the module with it in its `ENGINES`, the network's file or folder."""

    name: str
    room: str
    engine: str
    model: Path


class Failed(Exception):
    """A worker that cannot go on: the reason in a line, and its last words."""

    def __init__(self, reason: str, stderr: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.stderr = stderr


class Worker:
    """An entrant in a process of its own. Its files are in a folder beside the `feeds.B.npz` of the batches."""

    def __init__(self, entrant: Entrant, home: Path, threads: int) -> None:
        self.name = entrant.name
        self._folder = home / entrant.name
        self._folder.mkdir()
        self._words = (self._folder / "stderr").open("w+", errors="replace")
        self._process = subprocess.Popen(
            processes.command(
                *("netspec.bench.worker", entrant.room, entrant.engine),
                *(str(entrant.model), str(self._folder), str(threads)),
            ),
            cwd=self._folder,
            env=processes.environment(_changes(threads)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
        )

    def wait(self) -> None:
        """Return when the network is loaded. Raises `Failed`, as all methods do."""
        self._reply()

    def answer(self, batch: int) -> Arrays:
        """The outputs of a batch by name."""
        self._ask("answer", batch)
        return read_arrays(self._folder / f"answer.{batch}.npz")

    def time(self, batch: int, count: int, clock: str) -> float:
        """The mean seconds of `count` runs, by that clock."""
        return float(self._ask("time", batch, count, clock))

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._words.close()

    def _ask(self, *request: object) -> Any:
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{json.dumps(request)}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, and left its last words
        return self._reply()

    def _reply(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            ending = processes.ending(self._process.wait())
            raise Failed(f"its process ended ({ending})", self._last_words())
        content = json.loads(line)
        if "fault" in content:
            raise Failed(content["fault"])
        return content["value"]

    def _last_words(self) -> str:
        self._words.seek(0)
        return processes.last_lines(self._words.read(), _TAIL)


def _changes(threads: int) -> dict[str, str]:
    """Libraries that ask the environment get the threads."""
    return {
        "PYTHONUNBUFFERED": "1",
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
    }
