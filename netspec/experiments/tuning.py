"""What a search for parameters found, and what may be said of it. Trains and prints nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from io import StringIO
from math import isfinite
from statistics import fmean
from typing import Any, NamedTuple

from netspec.bench.report import align, counted
from netspec.experiments.statistics import Comparison, compare, estimate


class Candidate(NamedTuple):
    """Values of the parameters, and the score of each fold that was trained: all of them, unless it was pruned."""

    values: Mapping[str, Any]
    scores: tuple[float, ...]
    pruned: bool = False

    @property
    def mean(self) -> float:
        """The mean score."""
        return fmean(self.scores) if self.scores else float("nan")


class Tuning(NamedTuple):
    """The result of `tune`. The default is the net as it is written; `best` has the best mean over all folds."""

    network: str
    data: str
    framework: str
    metric: str
    folds: int
    default: Candidate
    candidates: tuple[Candidate, ...]
    inflation: float

    @property
    def best(self) -> Candidate:
        """The candidate with the best mean; the default where none is better."""
        sign = 1 if self.metric == "accuracy" else -1
        whole = [c for c in self.candidates if not c.pruned and isfinite(c.mean)]
        return max([self.default, *whole], key=lambda candidate: sign * candidate.mean)

    @property
    def comparison(self) -> Comparison | None:
        """The best against the default, fold by fold; None where they are the same."""
        if self.best is self.default:
            return None
        pairs = zip(self.best.scores, self.default.scores, strict=True)
        return compare([[best - default for best, default in pairs]], self.inflation)[0]

    @property
    def verdict(self) -> str:
        """Whether the best is more than luck."""
        compared = self.comparison
        if compared is None:
            return "nothing that was tried is better than the net as it is written"
        change = compared.difference
        said = f"{self._shown(change.low, True)} to {self._shown(change.high, True)}, p = {compared.p:.2g}"
        if compared.is_noise:
            return f"no better than the net as it is written, beyond noise ({said})"
        return f"better than the net as it is written ({said})"

    def table(self, rows: int = 10) -> str:
        """For people: the best candidates, and what may be said of them."""
        return "\n".join(self._lines(rows))

    def to_json(self, *, indent: int | None = 2) -> str:
        """All candidates, for programs."""
        content = {
            "version": 1,
            "network": self.network,
            "data": self.data,
            "framework": self.framework,
            "metric": self.metric,
            "folds": self.folds,
            "default": _as_json(self.default),
            "best": _as_json(self.best),
            "verdict": self.verdict,
            "candidates": [_as_json(candidate) for candidate in self.candidates],
        }
        return json.dumps(content, indent=indent, default=str)

    def to_csv(self) -> str:
        """A line for each candidate: its parameters, mean, and the score of each fold."""
        names = list(self.candidates[0].values) if self.candidates else []
        head = [*names, "pruned", "mean", *(f"fold{n + 1}" for n in range(self.folds))]
        content = StringIO()
        lines = csv.writer(content, lineterminator="\n")
        lines.writerow(head)
        for candidate in self.candidates:
            scores = [f"{score:.9g}" for score in candidate.scores]
            scores += [""] * (self.folds - len(scores))
            values = (candidate.values.get(name, "") for name in names)
            pruned = str(candidate.pruned).lower()
            lines.writerow([*values, pruned, f"{candidate.mean:.9g}", *scores])
        return content.getvalue()

    def _shown(self, value: float, sign: bool = False) -> str:
        if self.metric == "accuracy":
            return f"{100 * value:{'+' if sign else ''}.2f}"
        return f"{value:{'+' if sign else ''}.4g}"

    def _lines(self, rows: int) -> Iterator[str]:
        unit = " in %" if self.metric == "accuracy" else ""
        pruned = sum(candidate.pruned for candidate in self.candidates)
        yield (
            f"{self.network} on {self.data}, trained in {self.framework}: {self.metric}{unit} over "
            f"{self.folds} folds, {counted(len(self.candidates), 'trial')}, {pruned} of them pruned"
        )
        yield ""
        sign = -1 if self.metric == "accuracy" else 1
        whole = [c for c in self.candidates if not c.pruned and isfinite(c.mean)]
        ranked = sorted(whole, key=lambda candidate: sign * candidate.mean)[:rows]
        cells = [("parameters", "mean", "95 % interval")]
        cells += [self._cells(settings(c.values), c) for c in ranked]
        cells.append(self._cells("as written", self.default))
        yield from align(cells)
        yield ""
        yield f"{settings(self.best.values) or 'as written'}: {self.verdict}"
        if self.best is not self.default:
            yield (
                f"It is the best of {len(whole)}, so its own mean is flattered: judge it on examples that took no "
                "part in the choice."
            )

    def _cells(self, name: str, candidate: Candidate) -> tuple[str, str, str]:
        score = estimate(candidate.scores, self.inflation).of_metric(self.metric)
        return (
            name,
            self._shown(score.mean),
            f"{self._shown(score.low)} to {self._shown(score.high)}",
        )


def settings(values: Mapping[str, Any]) -> str:
    """Parameters in words: `rate=0.1234 width=16`."""
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values.items()
    )


def _as_json(candidate: Candidate) -> dict[str, Any]:
    mean = candidate.mean
    scores = [score if isfinite(score) else None for score in candidate.scores]
    return {
        "values": dict(candidate.values),
        "mean": mean if isfinite(mean) else None,
        "scores": scores,
        "pruned": candidate.pruned,
    }
