"""Ratios with the bounds that they should keep, as a table. Knows nothing of what it times."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

from netspec.bench.pairing import Run, ratios, take_turns
from netspec.bench.race import Row


class Result(NamedTuple):
    """A measured value, its quartiles where it is a median, and the bounds that it should keep."""

    what: str
    value: float
    unit: str
    lowest: float = 0
    highest: float | None = None
    quartiles: tuple[float, float] | None = None
    seconds: tuple[float, float] | None = None

    @property
    def met(self) -> bool:
        """Whether the value is within its bounds."""
        return self.lowest <= self.value and (self.highest is None or self.value <= self.highest)

    @property
    def goal(self) -> str:
        """The bounds in words."""
        if self.highest is None:
            return f"at least {self.lowest:g}" if self.lowest else ""
        return (
            f"{self.lowest:g} to {self.highest:g}" if self.lowest else f"at most {self.highest:g}"
        )


def paired(
    what: str,
    first: Run,
    second: Run,
    *,
    pairs: int,
    lowest: float = 0,
    highest: float | None = None,
) -> Result:
    """The ratio of first to second over many pairs, in changing order, after one pair to warm up.

    A run gives its own time in seconds.
    """
    if pairs > 1:
        first(), second()
    times = list(take_turns([first, second], pairs))
    ratio = ratios(times, 0, base=1)
    seconds = (median(a for a, _ in times), median(b for _, b in times))
    return Result(what, ratio.median, "x", lowest, highest, (ratio.low, ratio.high), seconds)


def against(what: str, ours: Row, other: Row, highest: float | None = None) -> Result:
    """The ratio of ours, to which the rows' ratios are, to another row."""
    ratio = other.ratio
    return Result(
        what,
        1 / ratio.median,
        "x",
        highest=highest,
        quartiles=(1 / ratio.high, 1 / ratio.low),
        seconds=(ours.seconds.median, other.seconds.median),
    )


def spend(command: Sequence[str]) -> resource.struct_rusage:
    """What a command uses as a process of its own, with Python's bytecode caches as usual."""
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return usage


def processor(command: Sequence[str]) -> Run:
    """A run of a command, measured in processor time, user and system."""

    def run() -> float:
        usage = spend(command)
        return usage.ru_utime + usage.ru_stime

    return run


def table(results: Sequence[Result]) -> str:
    """The results as Markdown."""
    lines = ["| measured | value | quartiles | seconds | goal | met |", "|---|---|---|---|---|---|"]
    for result in results:
        spread = "to".join(f" {each:.3g} " for each in result.quartiles or ()).strip()
        seconds = " / ".join(f"{each:.3g}" for each in result.seconds or ())
        met = ("yes" if result.met else "**no**") if result.goal else ""
        value = f"{result.value:.3g} {result.unit}"
        lines.append(f"| {result.what} | {value} | {spread} | {seconds} | {result.goal} | {met} |")
    return "\n".join(lines) + "\n"


def main(measure: Callable[[bool], Sequence[Result]]) -> None:
    """Command line of a benchmark: measure, and print a table or JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--quick", action="store_true", help="small sizes and few runs: does it work?"
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON, one object for each result"
    )
    options = parser.parse_args()
    results = measure(options.quick)
    if options.json:
        print(json.dumps([result._asdict() for result in results]))
    else:
        print(table(results), end="")
