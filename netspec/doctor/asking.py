"""Asks probes, each in a process of its own with a time limit. Knows no package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
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
    with processes.tidy(), TemporaryDirectory(prefix="netspec-doctor-") as folder:
        runs = processes.Runs(Path(folder))
        ask_one = partial(_ask, Path(folder), runs, limit)
        return dict(zip(names, processes.side_by_side(ask_one, names, runs.stop), strict=True))


def _ask(folder: Path, runs: processes.Runs, limit: float, name: str) -> Answer:
    file = folder / f"{name}.json"
    try:
        code, words = runs.run("netspec.doctor.probes", name, str(file), limit=limit)
    except TimeoutExpired:
        return f"it gave no answer within {limit:.0f} s"
    if code == 0:
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    last = processes.last_lines(words, 1).strip()
    if code > 0 and last:
        return last[:300]
    return f"its process ended ({processes.ending(code)})"
