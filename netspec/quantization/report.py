"""What a conversion gave, as text for people and as JSON. It prints and measures nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from netspec.bench.pairing import Spread
from netspec.bench.race import Fault, Row
from netspec.bench.report import align, cells, counted
from netspec.diagnostics import Diagnostic
from netspec.quantization.quality import Finding

_HEADER = ("model", "median", "quartiles", "ratio", "quartiles")


class Report(NamedTuple):
    """The result of `quantize`: `content` is the model, whether it passed or not.

    `examples` says how many it was judged on. Sizes are in bytes; rows compare the speed of `float32`, the network
    with its batch norms folded, with the conversion's.
    """

    network: str
    form: str
    about: str
    content: bytes
    size_before: int
    examples: int
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]

    @property
    def passed(self) -> bool:
        """Whether no more was lost than is allowed."""
        return all(finding.passed for finding in self.findings)

    def diagnostics(self) -> Iterator[Diagnostic]:
        """What is lost and may not be."""
        for finding in self.findings:
            if not finding.passed:
                allowed = _allowed(finding) or "it should be finite"
                message = f"{self.form} loses too much: {_measured(finding)}, {allowed}"
                help_ = "calibrate with more examples, try another --method, or allow it"
                if self.form == "fp16":
                    help_ = "keep float32, or allow it"
                yield Diagnostic("accuracy-lost", message, help=help_)

    def text(self) -> str:
        """For people."""
        return "\n".join(self._lines())

    def to_json(self, *, indent: int | None = 2) -> str:
        """The same for programs, without the model. What is not finite is null."""
        content = {
            "version": 1,
            "network": self.network,
            "form": self.form,
            "passed": self.passed,
            "bytes": {"before": self.size_before, "after": len(self.content)},
            "examples": self.examples,
            "findings": [
                {**each._asdict(), "after": each.after if each.after == each.after else None}
                for each in self.findings
            ],
            "rows": [_row(row) for row in self.rows],
            "faults": [fault._asdict() for fault in self.faults],
        }
        return json.dumps(content, indent=indent)

    def _lines(self) -> Iterator[str]:
        yield f"{self.network}: {self.about}"
        after = len(self.content)
        yield f"size: {_bytes(self.size_before)} to {_bytes(after)} ({after / self.size_before:.2f})"
        yield f"on {counted(self.examples, 'example')}:"
        yield from (f"  {_sentence(finding)}" for finding in self.findings)
        for batch in dict.fromkeys(row.batch for row in self.rows):
            yield f"speed at batch {batch}:"
            rows = [row for row in self.rows if row.batch == batch]
            yield from (f"  {line}" for line in align([_HEADER, *map(cells, rows)]))
        for fault in self.faults:
            yield f"{fault.name} was not timed: {fault.reason}"


def _measured(finding: Finding) -> str:
    """What was measured, in words."""
    match finding.quantity:
        case "accuracy":
            return f"accuracy of `{finding.output}` {finding.before:.2%} to {finding.after:.2%}"
        case "agreement":
            return f"`{finding.output}` sees the same class in {finding.after:.2%}"
        case _:
            return f"`{finding.output}` differs by {finding.after:.2e} of its size"


def _allowed(finding: Finding) -> str:
    """What it is held to, in words."""
    match finding.bound, finding.quantity:
        case None, _:
            return ""
        case bound, "accuracy":
            return f"a drop of {100 * bound:.3g} points at most"
        case bound, "agreement":
            return f"{bound:.2%} at least"
        case bound, _:
            return f"{bound:.3g} at most"


def _sentence(finding: Finding) -> str:
    """A finding with the verdict on it."""
    allowed = _allowed(finding)
    if finding.passed and not allowed:
        return _measured(finding)
    return (
        f"{_measured(finding)}: {'ok' if finding.passed else 'FAILED'}, {allowed or 'not finite'}"
    )


def _bytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def _row(row: Row) -> dict[str, object]:
    spreads: dict[str, Spread] = {"seconds": row.seconds, "ratio": row.ratio}
    measured = {name: spread._asdict() for name, spread in spreads.items()}
    return {"model": row.name, "batch": row.batch, **measured}
