"""What a verification found, as a table for people and as JSON. It prints and measures nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from netspec.parity.compare import Check
from netspec.parity.diverge import Divergence
from netspec.parity.runner import Crash

_HEADER = ("target", "precision", "mode", "max abs", "relative", "limit", "verdict")
_BOTH = ("target", "precision", "mode", "without", "with", "difference", "limit", "verdict")


class Row(NamedTuple):
    """All tensors of a target in one precision and mode (`eval` or `train`).

    Of a network that passes rewrote, `without` are the same checks of the network as it was, which are not judged, and
    `moved` is the one against the other. Both are empty where the target cannot run the network as it was.
    """

    target: str
    precision: str
    mode: str
    checks: tuple[Check, ...]
    without: tuple[Check, ...] = ()
    moved: tuple[Check, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there was something to check and every check passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def worst(self) -> Check:
        """The check that is nearest to its limit, or furthest beyond it."""
        return max(self.checks, key=lambda check: check.severity)

    @property
    def largest(self) -> float:
        """The largest absolute difference of all checks."""
        return max(check.absolute for check in self.checks)


class Skipped(NamedTuple):
    """What was not verified of a target, and why."""

    target: str
    what: str
    reason: str
    help: str | None = None


class Report(NamedTuple):
    """The result of `verify`.

    `sizes` are what was chosen for the unknown sizes, for each batch and then for the training step.
    """

    network: str
    fingerprint: str
    batches: tuple[int, ...]
    sizes: tuple[Mapping[str, int], ...]
    seed: int
    passes: tuple[str, ...]
    rows: tuple[Row, ...]
    crashes: tuple[Crash, ...]
    divergences: tuple[Divergence, ...]
    skipped: tuple[Skipped, ...]
    versions: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether something was verified and nothing failed."""
        return bool(self.rows) and not self.crashes and all(row.passed for row in self.rows)

    def table(self) -> str:
        """For people: a line for each row, then whatever was found or left out, and a verdict."""
        return "\n".join(self._lines())

    def to_json(self, *, indent: int | None = 2) -> str:
        """The same with every check. What could not be measured is null and has a `fault`."""
        content = {
            "version": 1,
            "network": self.network,
            "fingerprint": self.fingerprint,
            "batches": self.batches,
            "sizes": [dict(each) for each in self.sizes],
            "seed": self.seed,
            "passes": list(self.passes),
            "passed": self.passed,
            "versions": dict(self.versions),
            "rows": [_row(row) for row in self.rows],
            "crashes": [
                {**crash.job._asdict(), "ending": crash.ending, "stderr": crash.stderr}
                for crash in self.crashes
            ],
            "divergences": [_divergence(found) for found in self.divergences],
            "skipped": [skipped._asdict() for skipped in self.skipped],
        }
        return json.dumps(content, indent=indent, allow_nan=False)

    def _lines(self) -> Iterator[str]:
        batches = ", ".join(map(str, self.batches))
        passed = f"; after {', '.join(self.passes)}" if self.passes else ""
        about = f"batches {batches}; seed {self.seed}{passed}"
        yield f"{self.network} against the float64 reference ({about})"
        runs = [f"batch {batch}" for batch in self.batches] + ["training"]
        for run, sizes in zip(runs, self.sizes, strict=False):
            if sizes:
                yield f"{run}: {', '.join(f'{name} = {size}' for name, size in sizes.items())}"
        yield ""
        if self.passes:
            yield "relative errors without the passes and with them, and what the results differ by"
            yield ""
            yield from _align([_BOTH, *map(_both_cells, self.rows)])
        else:
            yield from _align([_HEADER, *map(_cells, self.rows)])
        yield ""
        for row in self.rows:
            if not row.passed:
                yield f"{row.target}, {row.precision} {row.mode}: {_describe(row.worst)}"
        for found in self.divergences:
            place = found.explanation
            if found.node is not None and found.check is not None:
                layer = f"`{found.node.name}` ({found.node.op.kind})"
                place = f"first wrong at {layer}: {_describe(found.check)}"
            yield f"{found.target}, {found.precision} {found.mode}: {place}"
        for crash in self.crashes:
            target, precision = crash.job
            yield f"{target}, {precision}: the worker gave no answer ({crash.ending})"
            yield from (f"    {line}" for line in crash.stderr.splitlines())
        for skipped in self.skipped:
            cure = f" ({skipped.help})" if skipped.help else ""
            yield f"{skipped.target}: {skipped.what} was not verified: {skipped.reason}{cure}"
        yield ", ".join(f"{name} {version}" for name, version in self.versions.items())
        failed = sum(not row.passed for row in self.rows) + len(self.crashes)
        total = len(self.rows) + len(self.crashes)
        yield (
            f"{total - failed} of {total} passed"
            if self.passed or failed
            else "nothing was verified"
        )


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (row.largest, row.worst.relative, row.worst.limit)
    return *row[:3], *(f"{number:.1e}" for number in numbers), _verdict(row)


def _both_cells(row: Row) -> tuple[str, ...]:
    numbers = (_largest(row.without), row.worst.relative, _largest(row.moved), row.worst.limit)
    return *row[:3], *("-" if n is None else f"{n:.1e}" for n in numbers), _verdict(row)


def _verdict(row: Row) -> str:
    return "ok" if row.passed else "FAILED"


def _largest(checks: Sequence[Check]) -> float | None:
    """The largest relative difference, if there was something to compare."""
    return max((check.relative for check in checks), default=None)


def _align(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Words to the left, numbers (from column 3 to the last but one) to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        padded = (
            cell.rjust(width) if 3 <= index < len(cells) - 1 else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        yield "  ".join(padded).rstrip()


def _describe(check: Check) -> str:
    what = f"{check.quantity} `{check.name}` at batch {check.batch}"
    if check.fault is not None:
        return f"{what}: {check.fault}"
    return f"{what} is off by {check.relative:.1e}, limit {check.limit:.1e}"


def _row(row: Row) -> dict[str, Any]:
    return {
        "target": row.target,
        "precision": row.precision,
        "mode": row.mode,
        "passed": row.passed,
        "max_abs": _number(row.largest),
        "relative": _number(row.worst.relative),
        "limit": row.worst.limit,
        "without_passes": _number(_largest(row.without)),
        "difference": _number(_largest(row.moved)),
        "checks": [_check(check) for check in row.checks],
    }


def _check(check: Check) -> dict[str, Any]:
    measured = {"absolute": _number(check.absolute), "relative": _number(check.relative)}
    return {**check._asdict(), **measured, "passed": check.passed}


def _divergence(found: Divergence) -> dict[str, Any]:
    node, check = found.node, found.check
    return {
        **found._asdict(),
        "node": node and {"name": node.name, "kind": node.op.kind},
        "check": check and _check(check),
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
