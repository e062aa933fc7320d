"""What was measured after each epoch, as CSV and as JSON. Knows nothing of how."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple, TypeAlias

Row: TypeAlias = Mapping[str, float]
"""`epoch` (from 1), `lr`, `loss`, the metric, both of the validation part with `val_` in front, and `seconds`."""


class History(NamedTuple):
    """A row for each epoch."""

    rows: tuple[Row, ...] = ()

    def column(self, name: str) -> list[float]:
        """One measure, epoch by epoch. Raises `KeyError` where it was not taken."""
        return [row[name] for row in self.rows]

    @property
    def columns(self) -> Sequence[str]:
        """The names of the measures, in order."""
        return list(self.rows[0]) if self.rows else []

    def to_csv(self) -> str:
        """A line of names, and a line for each epoch."""
        lines = [self.columns, *([f"{value:.9g}" for value in row.values()] for row in self.rows)]
        return "".join(f"{','.join(line)}\n" for line in lines if line)

    def to_json(self) -> str:
        """A list of objects; a number that is not finite is null."""
        rows = [{name: x if isfinite(x) else None for name, x in row.items()} for row in self.rows]
        return json.dumps(rows, indent=2) + "\n"

    def dump(self, path: str) -> bytes:
        """The content of a file of that name: JSON for `.json`, and CSV otherwise."""
        return (self.to_json() if Path(path).suffix == ".json" else self.to_csv()).encode()
