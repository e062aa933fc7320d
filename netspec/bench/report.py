"""What was measured, as a table for people and as JSON. It prints and measures nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from netspec.bench.pairing import Spread
from netspec.bench.race import Fault, Row

_HEADER = ("runtime", "median", "quartiles", "ratio", "quartiles")
_UNITS = ((1, "s"), (1e-3, "ms"), (1e-6, "us"))


class Skipped(NamedTuple):
    """A runtime that was left out, and why."""

    name: str
    reason: str
    help: str | None = None


class Report(NamedTuple):
    """The result of `bench`. Ratios are to the first runtime that has rows; times are in seconds."""

    network: str
    fingerprint: str
    threads: int
    rounds: int
    clock: str
    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]
    skipped: tuple[Skipped, ...]
    machine: str
    versions: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether something was timed, and no runtime crashed or was wrong."""
        return bool(self.rows) and not self.faults

    def table(self) -> str:
        """For people: a table for each batch size, then what was not timed and why."""
        return "\n".join(self._lines())

    def to_json(self, *, indent: int | None = 2) -> str:
        """The same for programs."""
        content = {"version": 1, **self._asdict(), "passed": self.passed}
        content["rows"] = [_row(row) for row in self.rows]
        content["faults"] = [fault._asdict() for fault in self.faults]
        content["skipped"] = [skipped._asdict() for skipped in self.skipped]
        return json.dumps(content, indent=indent, allow_nan=False)

    def _lines(self) -> Iterator[str]:
        about = (
            f"{counted(self.threads, 'thread')}, {counted(self.rounds, 'round')}, {self.clock} time"
        )
        yield f"{self.network}: inference on {about}"
        for batch in dict.fromkeys(row.batch for row in self.rows):
            rows = [row for row in self.rows if row.batch == batch]
            yield ""
            yield f"batch {batch}, ratios to {rows[0].name}"
            yield from align([_HEADER, *map(cells, rows)])
        yield ""
        for fault in self.faults:
            yield f"{fault.name} was not timed: {fault.reason}"
            yield from (f"    {line}" for line in fault.stderr.splitlines())
        for skipped in self.skipped:
            cure = f" ({skipped.help})" if skipped.help else ""
            yield f"{skipped.name} is left out: {skipped.reason}{cure}"
        yield ", ".join([self.machine, *(f"{name} {v}" for name, v in self.versions.items())])


def cells(row: Row) -> tuple[str, ...]:
    """A row in words: time, its quartiles, ratio, its quartiles."""
    return (
        row.name,
        duration(row.seconds.median),
        f"{duration(row.seconds.low)} to {duration(row.seconds.high)}",
        f"{row.ratio.median:.3f}",
        f"{row.ratio.low:.3f} to {row.ratio.high:.3f}",
    )


def counted(number: int, what: str) -> str:
    """`1 thread`, `2 threads`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    unit, name = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    value = seconds / unit
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {name}"


def align(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        first, *others = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *others]).rstrip()


def _row(row: Row) -> dict[str, Any]:
    spreads: dict[str, Spread] = {"seconds": row.seconds, "ratio": row.ratio}
    measured = {name: spread._asdict() for name, spread in spreads.items()}
    return {"runtime": row.name, "batch": row.batch, **measured}
