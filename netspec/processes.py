"""Python modules run in processes of their own, and how these ended. Knows nothing of what they compute."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})


def command(module: str, *arguments: str) -> list[str]:
    """What runs a module as a program, in this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def environment(changes: Mapping[str, str] = _NOTHING) -> dict[str, str]:
    """The environment with changes; the other process finds modules where this one does."""
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    return {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", **changes}


def run(
    module: str,
    *arguments: str,
    folder: Path,
    changes: Mapping[str, str] = _NOTHING,
    limit: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a module to its end in a folder, where nothing shadows other modules; its stderr is kept.

    Raises `subprocess.TimeoutExpired` where it takes longer than `limit` seconds, and ends it.
    """
    return subprocess.run(
        command(module, *arguments),
        cwd=folder,
        env=environment(changes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=limit,
        check=False,
    )


def ending(code: int) -> str:
    """How a process with this return code ended: `exit status 1`, `killed by SIGKILL`."""
    if code >= 0:
        return f"exit status {code}"
    names = {each.value: each.name for each in signal.Signals}
    return f"killed by {names.get(-code, f'signal {-code}')}"


def last_lines(text: str, count: int) -> str:
    """The last words of a process."""
    return "\n".join(text.strip().splitlines()[-count:])
