"""Asks probes, each in a process of its own with a time limit. Knows no package."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from netspec import processes

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
    try:
        done = processes.run(
            "netspec.doctor.probes", name, str(file), folder=file.parent, limit=limit
        )
    except TimeoutExpired:
        return f"it gave no answer within {limit:.0f} s"
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    last = processes.last_lines(done.stderr, 1).strip()
    if done.returncode > 0 and last:
        return last[:300]
    return f"its process ended ({processes.ending(done.returncode)})"
