"""Python modules run in processes of their own, and how these ended. Knows nothing of what they compute."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

JobT = TypeVar("JobT")
AnswerT = TypeVar("AnswerT")

_NOTHING: Mapping[str, str] = MappingProxyType({})
_TERMINATED = 128 + signal.SIGTERM
"""What a shell gives for a program that was ended so."""


def command(module: str, *arguments: str) -> list[str]:
    """What runs a module as a program, in this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def environment(changes: Mapping[str, str] = _NOTHING) -> dict[str, str]:
    """The environment with changes; the other process finds modules where this one does."""
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    return {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", **changes}


class Runs:
    """Modules that run to their ends in a folder, where nothing shadows other modules. All can be ended at once."""

    def __init__(self, folder: Path, changes: Mapping[str, str] = _NOTHING) -> None:
        self._folder = folder
        self._changes = changes
        self._at_work: set[subprocess.Popen[str]] = set()

    def run(self, module: str, *arguments: str, limit: float | None = None) -> tuple[int, str]:
        """How a module ended, and what it wrote to stderr.

        Raises `subprocess.TimeoutExpired` where it takes longer than `limit` seconds, and ends it.
        """
        with subprocess.Popen(
            command(module, *arguments),
            cwd=self._folder,
            env=environment(self._changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process:
            self._at_work.add(process)
            try:
                _, words = process.communicate(timeout=limit)
            finally:
                process.kill()
                self._at_work.discard(process)
        return process.returncode, words

    def stop(self) -> None:
        """End all that are at work."""
        for process in tuple(self._at_work):
            process.kill()


@contextmanager
def tidy() -> Iterator[None]:
    """Where a block is told to end (SIGTERM), it is left as at Ctrl-C: what it has begun is taken away."""

    def leave(*_: object) -> None:
        raise SystemExit(_TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # signals are the main thread's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def side_by_side(
    function: Callable[[JobT], AnswerT], jobs: Sequence[JobT], stop: Callable[[], None]
) -> list[AnswerT]:
    """What the function gives for each job, in their order; each has a thread, as far as there are cores.

    Where the caller is told to end, no other job begins, and `stop` ends what those at work wait for.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            return list(pool.map(function, jobs))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise


def pool(count: int, prepare: Callable[[], None]) -> ProcessPoolExecutor:
    """So many fresh processes that are prepared so. They end with this one, even where it is killed."""
    from concurrent.futures import ProcessPoolExecutor  # slow to import
    from multiprocessing import get_context

    return ProcessPoolExecutor(count, get_context("spawn"), _begin, (prepare,))


def _begin(prepare: Callable[[], None]) -> None:
    from threading import Thread

    Thread(target=_end_with_parent, daemon=True).start()
    prepare()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for ever."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def ending(code: int) -> str:
    """How a process with this return code ended: `exit status 1`, `killed by SIGKILL`."""
    if code >= 0:
        return f"exit status {code}"
    names = {each.value: each.name for each in signal.Signals}
    return f"killed by {names.get(-code, f'signal {-code}')}"


def last_lines(text: str, count: int) -> str:
    """The last words of a process."""
    return "\n".join(text.strip().splitlines()[-count:])
