"""`tune`: parameters of a net, chosen by cross-validation with Optuna. It prints nothing."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import suppress
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.experiments.running import Job, metric_of, run, single_threaded
from netspec.experiments.space import Choice
from netspec.experiments.study import Study, prove
from netspec.experiments.tuning import Candidate, Tuning
from netspec.ir import Graph
from netspec.processes import pool
from netspec.training import Data, Recipe
from netspec.weights import np

Make = Callable[[Mapping[str, Any]], Graph]
"""The network with these parameters; for several processes it can be pickled."""

Watch = Callable[[Candidate, int], None]
"""Is told of the net as it is written, and of each trial, and how many trials the study has then."""


def tune(
    make: Make,
    choices: Sequence[Choice],
    data: Data,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
    framework: str = "torch",
    *,
    folds: int = 5,
    trials: int = 20,
    jobs: int = 1,
    storage: str | Path | None = None,
    watch: Watch = lambda *_: None,
) -> Tuning:
    """Choose parameters of a net by k-fold cross-validation on the part of the data that is learned from.

    Optuna's TPE sampler proposes values, and its median rule ends a trial early whose folds go worse than those
    before it. All trials have the same folds and the same seed. The study is kept in the file `storage`, and goes
    on from there until it has so many trials, first with those that were being tried when it was killed. Ctrl-C ends
    it with what it has. Raises `SpecError`.
    """
    if folds < 2 or trials < 1 or not choices:
        message = "tuning takes 2 folds, a trial and a parameter at least"
        raise SpecError(Diagnostic("bad-experiment", message))
    graph = make({})
    for choice in choices:
        for value in choice.ends:
            make({choice.name: value})  # what is wrong with a parameter is told now
    work = Work(make, tuple(choices), _folds(data, folds, recipe), recipe, framework)
    with tempfile.TemporaryDirectory() as scratch:
        path = str(storage or Path(scratch) / "study.log")
        prove(path)
        study = Study(path, work.name(), recipe.seed)
        default = _default(study, graph, work)
        watch(default, len(study.done()))
        with suppress(KeyboardInterrupt):
            _search(study, work, path, trials, jobs, watch)
        candidates = tuple(_candidate(trial, work) for trial in study.done())
        metric = study.recall("metric")
    held = len(work.folds[0].val.y) if work.folds[0].val is not None else 0
    inflation = held / len(work.folds[0].train.y)
    return Tuning(graph.name, data.name, framework, metric, folds, default, candidates, inflation)


class Work(NamedTuple):
    """What each trial does; it goes to other processes."""

    make: Make
    choices: tuple[Choice, ...]
    folds: tuple[Data, ...]
    recipe: Recipe
    framework: str

    def name(self) -> str:
        """The name of the study: another for another question."""
        graph = self.make({})
        question = (graph.fingerprint, self.recipe.model_dump_json(), self.framework)
        parts = [part for fold in self.folds for part in (fold.train, fold.val) if part is not None]
        digest = hashlib.sha256(repr((question, [str(c) for c in self.choices])).encode())
        for part in parts:
            for array in (*part.x.values(), part.y):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def score(self, graph: Graph, fold: int) -> tuple[float, str]:
        """The score of one fold, and the metric that it is."""
        outcome = run(Job(f"fold {fold + 1}", graph, self.folds[fold], self.recipe, self.framework))
        if outcome.ended == "interrupted":
            raise KeyboardInterrupt
        return outcome.score, metric_of([outcome])


def _folds(data: Data, count: int, recipe: Recipe) -> tuple[Data, ...]:
    """The training part in so many ways to learn from most of it and to judge by the rest."""
    selection: Any = need("sklearn.model_selection", "tune")
    y = data.train.y
    labels = y.dtype.kind in "biu" and y.ndim == 1
    smallest = int(np.unique(y, return_counts=True)[1].min()) if labels else len(y)
    stratified = labels and smallest >= count
    if len(y) < count:
        message = f"{len(y)} examples do not make {count} folds"
        raise SpecError(Diagnostic("bad-experiment", message))
    kind = selection.StratifiedKFold if stratified else selection.KFold
    parts = kind(count, shuffle=True, random_state=recipe.seed % 2**32).split(np.zeros(len(y)), y)
    return tuple(
        Data(data.name, data.train.take(kept), val=data.train.take(held)) for kept, held in parts
    )


def _default(study: Study, graph: Graph, work: Work) -> Candidate:
    """The net as it is written, on every fold; once for a study."""
    if study.recall("default") is None:
        found = [work.score(graph, fold) for fold in range(len(work.folds))]
        study.remember("metric", found[0][1])
        study.remember("default", [score for score, _ in found])
    return Candidate({}, tuple(study.recall("default")))


def _search(study: Study, work: Work, path: str, trials: int, jobs: int, watch: Watch) -> None:
    """Trials until the study has so many."""
    study.take_up()
    done, draws = len(study.done()), study.missing(trials)
    metric = study.recall("metric")
    if jobs == 1:
        for number, draw in enumerate(draws, done + 1):
            watch(_candidate(study.try_one(_Objective(work, metric), draw), work), number)
        return
    with pool(jobs, single_threaded) as executor:
        waiting = [executor.submit(_one_trial, path, work, metric, draw) for draw in draws]
        try:
            for number, future in enumerate(as_completed(waiting), done + 1):
                watch(future.result(), number)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _one_trial(path: str, work: Work, metric: str, draw: int) -> Candidate:
    """A trial of the study in the file, in a process of its own."""
    study = Study(path, work.name(), work.recipe.seed)
    return _candidate(study.try_one(_Objective(work, metric), draw), work)


class _Objective:
    """The mean score over the folds, so that more is better."""

    def __init__(self, work: Work, metric: str) -> None:
        self.work = work
        self.sign = 1 if metric == "accuracy" else -1

    def __call__(self, trial: Any) -> float:
        optuna = need("optuna", "tune")
        values = {choice.name: choice.suggest(trial) for choice in self.work.choices}
        try:
            graph = self.work.make(values)
        except SpecError as error:
            trial.set_user_attr("error", error.diagnostics[0].message)
            raise optuna.TrialPruned from None
        scores: list[float] = []
        for fold in range(len(self.work.folds)):
            scores.append(self.work.score(graph, fold)[0])
            trial.set_user_attr("scores", scores)
            if not isfinite(scores[-1]):
                raise optuna.TrialPruned
            trial.report(self.sign * fmean(scores), fold)
            if fold + 1 < len(self.work.folds) and trial.should_prune():
                raise optuna.TrialPruned
        return self.sign * fmean(scores)


def _candidate(trial: Any, work: Work) -> Candidate:
    values = {
        choice.name: choice.values[trial.params[choice.name]]
        if choice.values
        else trial.params[choice.name]
        for choice in work.choices
        if choice.name in trial.params
    }
    scores = tuple(trial.user_attrs.get("scores", ()))
    return Candidate(values, scores, trial.state.name != "COMPLETE")
