"""What a conversion costs in accuracy, and whether that is too much. Knows no framework."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netspec.bench.engine import Arrays
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph, Output
from netspec.weights import Array, np


class Thresholds(NamedTuple):
    """What may be lost at most; what is None is not judged."""

    max_drop: float | None = None
    """In accuracy, the share of labels that are met."""
    min_agreement: float | None = None
    """The share of places where both networks see the same class."""
    max_error: float | None = None
    """The root mean square of what outputs differ by, in units of the root mean square of the original's."""


USUAL = Thresholds(max_drop=0.01, min_agreement=0.99, max_error=0.05)


_ROUNDING = 1e-12
"""Of shares that should be equal to a bound."""


class Finding(NamedTuple):
    """One quantity of one output: `accuracy`, `agreement` or `error`.

    `before` is the original's accuracy; other quantities compare. Without a `bound` nothing is judged.
    """

    quantity: str
    output: str
    before: float | None
    after: float
    bound: float | None
    passed: bool


def judge(
    graph: Graph, before: Arrays, after: Arrays, labels: Array | None, thresholds: Thresholds
) -> tuple[Finding, ...]:
    """Compare the outputs of a network with those of its conversion.

    Where no threshold is given, one of the usual ones holds: for accuracy where there are labels, else for
    agreement, else, for an output of one channel, for the error. An output that is not finite never passes.

    Raises `SpecError` for labels that do not fit the network's one output, and for a bound on accuracy without them.
    """
    if labels is not None and len(graph.outputs) > 1:
        raise _bad(f"the network has {len(graph.outputs)} outputs: labels go with one")
    if labels is None and thresholds.max_drop is not None:
        raise _bad("a drop in accuracy takes labels")
    first = USUAL if thresholds == Thresholds() else thresholds
    found: list[Finding] = []
    for output in graph.outputs:
        measured = _measure(graph, output, before[output.name], after[output.name], labels)
        for place, finding in enumerate(measured):
            found.append(_judged(finding, thresholds if place else first))
    return tuple(found)


def _measure(
    graph: Graph, output: Output, before: Array, after: Array, labels: Array | None
) -> Iterator[Finding]:
    """All that can be measured of an output, what says most first."""
    shape = graph.by_name[output.node].shape
    axis = 1 + shape.axes.index("c") if "c" in shape.axes else 0
    if axis and before.shape[axis] > 1:
        ours, theirs = before.argmax(axis), after.argmax(axis)
        if labels is not None:
            if labels.shape != ours.shape:
                raise _bad(f"labels of {labels.shape} do not fit classes of {ours.shape}")
            shares = float((ours == labels).mean()), float((theirs == labels).mean())
            yield Finding("accuracy", output.name, *shares, None, True)
        agreement = float((ours == theirs).mean())
        yield Finding("agreement", output.name, None, agreement, None, True)
    elif labels is not None:
        raise _bad(f"the output `{output.name}` ({shape}) has no classes")
    scale = np.sqrt(np.mean(np.square(before, dtype=np.float64)))
    with np.errstate(all="ignore"):  # what is not finite does not pass
        error = np.sqrt(np.mean(np.square(after.astype(np.float64) - before))) / (scale or 1)
    yield Finding("error", output.name, None, float(error), None, bool(np.isfinite(error)))


def _judged(finding: Finding, bounds: Thresholds) -> Finding:
    """The finding with its bound, if it has one; with what was not finite it has failed already."""
    match finding.quantity:
        case "accuracy":
            bound = bounds.max_drop
            drop = (finding.before or 0) - finding.after
            good = bound is None or drop <= bound + _ROUNDING
        case "agreement":
            bound = bounds.min_agreement
            good = bound is None or finding.after >= bound
        case _:
            bound = bounds.max_error
            good = bound is None or finding.after <= bound
    return finding._replace(bound=bound, passed=finding.passed and good)


def _bad(message: str) -> SpecError:
    return SpecError(Diagnostic("bad-labels", message))
