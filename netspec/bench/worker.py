"""One runtime in a process of its own: `python -m netspec.bench.worker ROOM ENGINE MODEL FOLDER THREADS`.

It reads one request a line from stdin and answers each by a line on what was stdout: `["answer", B]` writes
`FOLDER/answer.B.npz` for the inputs in `../feeds.B.npz`, `["time", B, N, CLOCK]` gives the mean seconds of N runs
with them. B is any number.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from netspec.bench.engine import Engine, Opener, read_arrays, write_arrays
from netspec.bench.pairing import timed
from netspec.diagnostics import SpecError


class _Stand:
    """A loaded network with the batches that were asked for."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._ready: dict[int, Callable[[], Any]] = {}

    def answer(self, batch: int) -> None:
        """Write the outputs of a batch."""
        result = self._engine.read(self._run(batch)())
        write_arrays(self._folder / f"answer.{batch}.npz", result)

    def time(self, batch: int, count: int, clock: str) -> float:
        """Mean seconds of a run, after one that brings code and weights back into the caches."""
        run = self._run(batch)
        run()
        return timed(run, count, clock)()

    def _run(self, batch: int) -> Callable[[], Any]:
        if batch not in self._ready:
            feeds = read_arrays(self._folder.parent / f"feeds.{batch}.npz")
            self._ready[batch] = self._engine.prepare(feeds)
        return self._ready[batch]


def serve(room: str, engine: str, model: Path, folder: Path, threads: int) -> None:
    """Answer until stdin ends. Whatever else is printed goes to stderr: frameworks talk."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)

        def reply(content: object) -> None:
            out.write(f"{json.dumps(content)}\n")
            out.flush()

        try:
            opener: Opener = import_module(room).ENGINES[engine]
            stand = _Stand(opener(model, threads), folder)
            reply({"value": None})
            for line in sys.stdin:
                action, *arguments = json.loads(line)
                reply({"value": getattr(stand, action)(*arguments)})
        except SpecError as error:
            reply({"fault": "; ".join(each.message for each in error.diagnostics)})


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
