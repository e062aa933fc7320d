"""Runs probes, each in a process of its own with a time limit. Knows no package."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

LIMIT = 120.0
"""Seconds: TensorFlow takes ten to be imported, on a busy machine several times that."""

Answer: TypeAlias = "dict[str, Any] | str"
"""What a probe found, or in words how it failed."""


def ask(names: Sequence[str], limit: float = LIMIT) -> dict[str, Answer]:
    """Every probe's answer; they run side by side."""
    with (
        TemporaryDirectory(prefix="netspec-doctor-") as folder,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        answers = pool.map(lambda name: _ask(name, Path(folder, f"{name}.json"), limit), names)
        return dict(zip(names, answers, strict=True))


def _ask(name: str, file: Path, limit: float) -> Answer:
    """In the folder of the answer nothing shadows a module."""
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "netspec.doctor.probes", name, str(file)],
            cwd=file.parent,
            env={**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it gave no answer within {limit:.0f} s"
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    if done.returncode < 0:
        return f"its process was killed by {signal.Signals(-done.returncode).name}"
    last = [line for line in done.stderr.splitlines() if line.strip()]
    return last[-1].strip()[:300] if last else f"its process ended with {done.returncode}"
