"""`ablate`: what layers are worth, by training with and without them. It prints nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import NamedTuple

from netspec.bench.report import align, counted
from netspec.diagnostics import Diagnostic, SpecError
from netspec.experiments.running import Job, Outcome, metric_of, run_all
from netspec.experiments.statistics import Comparison, Estimate, compare, estimate
from netspec.experiments.variants import Variant
from netspec.ir import Graph
from netspec.training import Data, Recipe

AS_WRITTEN = "as written"


class Finding(NamedTuple):
    """A form of the network: its scores, and how they differ from those of the network as it is written."""

    name: str
    changes: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    score: Estimate | None
    """None where fewer than two runs came to a number."""
    comparison: Comparison | None
    """Over the seeds that both have; None where these are fewer than two, and for the network as written."""


class Ablation(NamedTuple):
    """The result of `ablate`."""

    network: str
    data: str
    framework: str
    metric: str
    judged_by: str
    findings: tuple[Finding, ...]

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return self.metric == "accuracy"

    def verdict(self, finding: Finding) -> str:
        """What may be said of a form of the network."""
        compared = finding.comparison
        if finding is self.findings[0]:
            return "the network as it is"
        if compared is None:
            return "too few runs to compare"
        change = compared.difference
        if compared.is_noise:
            interval = (
                f"{self._shown(change.low, sign=True)} to {self._shown(change.high, sign=True)}"
            )
            return f"no difference beyond noise (it may be {interval})"
        better = (change.mean > 0) == self.higher_is_better
        return "better" if better else "worse"

    def table(self) -> str:
        """For people."""
        return "\n".join(self._lines())

    def to_json(self, *, indent: int | None = 2) -> str:
        """The same for programs, with the history of every run; a number that is not finite is null."""
        content = {
            "version": 1,
            **self._asdict(),
            "findings": [self._as_json(finding) for finding in self.findings],
        }
        return json.dumps(_finite(content), indent=indent, allow_nan=False)

    def _as_json(self, finding: Finding) -> dict[str, object]:
        compared = finding.comparison
        return {
            "name": finding.name,
            "changes": finding.changes,
            "score": finding.score and finding.score.of_metric(self.metric)._asdict(),
            "difference": compared and compared.difference._asdict(),
            "p": compared and compared.p,
            "adjusted_p": compared and compared.adjusted,
            "verdict": self.verdict(finding),
            "runs": [
                {**outcome._asdict(), "history": outcome.history.rows}
                for outcome in finding.outcomes
            ],
        }

    def _shown(self, value: float, *, sign: bool = False) -> str:
        if self.metric == "accuracy":
            return f"{100 * value:{'+' if sign else ''}.2f}"
        return f"{value:{'+' if sign else ''}.4g}"

    def _lines(self) -> Iterator[str]:
        seeds = len({outcome.seed for finding in self.findings for outcome in finding.outcomes})
        unit = " in %" if self.metric == "accuracy" else ""
        yield (
            f"{self.network} on {self.data}, trained in {self.framework}: {self.metric}{unit} on the "
            f"{self.judged_by} part, {counted(seeds, 'seed')}"
        )
        yield ""
        head = ("form", "mean", "95 % interval", "difference", "95 % interval", "p")
        verdicts = ["verdict", *map(self.verdict, self.findings)]
        rows = list(align([head, *map(self._cells, self.findings)]))
        width = max(map(len, rows))
        for row, verdict in zip(rows, verdicts, strict=True):
            yield f"{row:{width}}  {verdict}"
        yield ""
        for finding in self.findings:
            lost = sum(not isfinite(outcome.score) for outcome in finding.outcomes)
            if lost:
                yield f"{finding.name}: {counted(lost, 'run')} diverged and do not count"
        yield (
            "Differences are paired by seed; p is of the paired t-test, corrected for "
            f"{counted(len(self.findings) - 1, 'comparison')} (Holm)."
        )

    def _cells(self, finding: Finding) -> tuple[str, ...]:
        score, compared = finding.score, finding.comparison
        score = score and score.of_metric(self.metric)
        cells = [finding.name, "-", "-", "", "", ""]
        if score is not None:
            cells[1:3] = (
                self._shown(score.mean),
                f"{self._shown(score.low)} to {self._shown(score.high)}",
            )
        if compared is not None:
            change = compared.difference
            low, high = (self._shown(value, sign=True) for value in (change.low, change.high))
            cells[3:6] = (
                self._shown(change.mean, sign=True),
                f"{low} to {high}",
                f"{compared.adjusted:.2g}",
            )
        return tuple(cells)


def ablate(
    graph: Graph,
    data: Data,
    variants: Sequence[Variant],
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
    framework: str = "torch",
    *,
    seeds: int = 5,
    jobs: int = 1,
    watch: Callable[[Outcome], None] = lambda _: None,
) -> Ablation:
    """Train the network and its variants, each from so many seeds (the recipe's and those after it), and compare.

    A seed gives the layers that two forms have in common the same first weights, and the examples the same order
    and the same part held out. Scores are of the test part, or else of the validation part. Ctrl-C ends it with the
    runs that were finished. Raises `SpecError` where nothing is held out, or where there is nothing to compare.
    """
    if seeds < 2:
        message = "one seed tells nothing of noise"
        raise SpecError(Diagnostic("bad-experiment", message, help="take at least 2, better 5"))
    if not variants:
        raise SpecError(Diagnostic("bad-experiment", "there is nothing to compare with"))
    judged_by = held_out(data, recipe)
    forms = [Variant(AS_WRITTEN, graph), *variants]
    work = [
        Job(
            form.name,
            form.graph,
            data,
            recipe.model_copy(update={"seed": recipe.seed + n}),
            framework,
        )
        for n in range(seeds)
        for form in forms
    ]
    outcomes = run_all(work, jobs, watch)
    if not outcomes:
        message = "interrupted before a run was finished"
        raise SpecError(Diagnostic("bad-experiment", message))
    findings = _findings(forms, outcomes)
    return Ablation(graph.name, data.name, framework, metric_of(outcomes), judged_by, findings)


def held_out(data: Data, recipe: Recipe) -> str:
    """The part that scores are of. Raises `SpecError` where there is none."""
    if data.test is not None:
        return "test"
    if data.val is not None or recipe.val_split:
        return "validation"
    message = f"{data.name} holds nothing out that forms could be compared on"
    cure = "hold some out, as with `--val-split 0.2`, or give `x_test` and `y_test`"
    raise SpecError(Diagnostic("no-validation", message, help=cure))


def _findings(forms: Sequence[Variant], outcomes: Sequence[Outcome]) -> tuple[Finding, ...]:
    runs = {form.name: [o for o in outcomes if o.name == form.name] for form in forms}
    scores = {
        name: {o.seed: o.score for o in row if isfinite(o.score)} for name, row in runs.items()
    }
    base = scores[AS_WRITTEN]
    shared = {name: sorted(base.keys() & row.keys()) for name, row in scores.items()}
    compared = [f.name for f in forms if f.name != AS_WRITTEN and len(shared[f.name]) > 1]
    differences = {
        name: [scores[name][seed] - base[seed] for seed in shared[name]] for name in compared
    }
    comparisons = dict(zip(compared, compare(list(differences.values())), strict=True))
    return tuple(
        Finding(
            form.name,
            form.changes,
            tuple(runs[form.name]),
            estimate(list(scores[form.name].values())) if len(scores[form.name]) > 1 else None,
            comparisons.get(form.name),
        )
        for form in forms
    )


def _finite(value: object) -> object:
    """The same without numbers that JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
