"""`tune`: parameters of a net, chosen by cross-validation with Optuna. It prints nothing."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.experiments.running import Job, metric_of, run, single_threaded
from netspec.experiments.space import Choice
from netspec.experiments.tuning import Candidate, Tuning
from netspec.ir import Graph
from netspec.processes import pool
from netspec.training import Data, Recipe
from netspec.weights import np

if TYPE_CHECKING:
    from concurrent.futures import Future

Make = Callable[[Mapping[str, Any]], Graph]
"""The network with these parameters; for several processes it can be pickled."""


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
    watch: Callable[[Candidate], None] = lambda _: None,
) -> Tuning:
    """Choose parameters of a net by k-fold cross-validation on the part of the data that is learned from.

    Optuna's TPE sampler proposes values, and its median rule ends a trial early whose folds go worse than those
    before it. All trials have the same folds and the same seed. The study is kept in the file `storage`, and goes
    on from there until it has so many trials. Ctrl-C ends it with what it has. Raises `SpecError`.
    """
    optuna = need("optuna", "tune")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
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
        study = _open(path, work, recipe.seed)
        default = _default(study, graph, work)
        _search(study, work, path, trials, jobs, watch)
        candidates = [
            _candidate(trial, work) for trial in study.trials if trial.state.is_finished()
        ]
    held = len(work.folds[0].val.y) if work.folds[0].val is not None else 0
    inflation = held / len(work.folds[0].train.y)
    metric = study.user_attrs["metric"]
    return Tuning(
        graph.name, data.name, framework, metric, folds, default, tuple(candidates), inflation
    )


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


def _open(path: str, work: Work, seed: int, *, offset: int = 0) -> Any:
    optuna = need("optuna", "tune")
    backend = optuna.storages.journal.JournalFileBackend(path)
    return optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        study_name=work.name(),
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=(seed + offset) % 2**32, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
    )


def _default(study: Any, graph: Graph, work: Work) -> Candidate:
    """The net as it is written, on every fold; once for a study."""
    if "default" not in study.user_attrs:
        found = [work.score(graph, fold) for fold in range(len(work.folds))]
        study.set_user_attr("metric", found[0][1])
        study.set_user_attr("default", [score for score, _ in found])
    return Candidate({}, tuple(study.user_attrs["default"]))


def _search(
    study: Any,
    work: Work,
    path: str,
    trials: int,
    jobs: int,
    watch: Callable[[Candidate], None],
) -> None:
    """Trials until the study has so many."""
    left = trials - sum(trial.state.is_finished() for trial in study.trials)
    try:
        if jobs == 1:
            for _ in range(left):
                study.optimize(_Objective(work, study.user_attrs["metric"]), n_trials=1)
                watch(_candidate(study.trials[-1], work))
            return
        with pool(jobs, single_threaded) as executor:
            waiting: list[Future[None]] = [
                executor.submit(_one_trial, path, work, offset) for offset in range(1, left + 1)
            ]
            try:
                for future in waiting:
                    future.result()
                    watch(_candidate([t for t in study.trials if t.state.is_finished()][-1], work))
            finally:
                executor.shutdown(wait=True, cancel_futures=True)
    except KeyboardInterrupt:
        return


def _one_trial(path: str, work: Work, offset: int) -> None:
    """A trial of the study in the file, in a process of its own."""
    optuna = need("optuna", "tune")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _open(path, work, work.recipe.seed, offset=offset)
    study.optimize(_Objective(work, study.user_attrs["metric"]), n_trials=1)


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
