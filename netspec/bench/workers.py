"""Starts workers and talks to them. Knows no runtime, and judges nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

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
            [
                *(sys.executable, "-m", "netspec.bench.worker", entrant.room, entrant.engine),
                *(str(entrant.model), str(self._folder), str(threads)),
            ],
            cwd=self._folder,
            env={**os.environ, **_environment(threads)},
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
            code = self._process.wait()
            ending = f"exit status {code}" if code >= 0 else f"{signal.Signals(-code).name}"
            raise Failed(f"its process ended with {ending}", self._last_words())
        content = json.loads(line)
        if "fault" in content:
            raise Failed(content["fault"])
        return content["value"]

    def _last_words(self) -> str:
        self._words.seek(0)
        return "\n".join(self._words.read().strip().splitlines()[-_TAIL:])


def _environment(threads: int) -> dict[str, str]:
    """The worker finds modules where this process does; libraries that ask the environment get the threads."""
    return {
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path),
        "PYTHONUNBUFFERED": "1",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
    }
