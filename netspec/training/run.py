"""A run of training from start to end: judges, keeps the best, stops, saves, goes on. Knows no framework."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from math import inf, isfinite
from typing import TYPE_CHECKING, Literal, NamedTuple

from netspec.backend import check_trains
from netspec.compiler import trainable
from netspec.training import checkpoint as files
from netspec.training.checkpoint import Best, Checkpoint
from netspec.training.examples import examples_of
from netspec.training.history import History, Row
from netspec.training.recipe import Loss, Recipe
from netspec.training.task import Place, Task, Trainer, plan
from netspec.weights import check_weights, init_weights

if TYPE_CHECKING:
    from pathlib import Path

    from netspec.ir import Graph
    from netspec.training.data import Data
    from netspec.weights import Array, Weights


class Observer:
    """What wants to know how a run goes. This one does not."""

    steps: bool = False
    """Whether it wants to know of every step, too."""

    def begin(self, epochs: range, steps: int) -> None:
        """The run starts: its epochs from 0, and the steps of each."""

    def step(self) -> None:
        """A batch was learned from."""

    def epoch(self, row: Row) -> None:
        """An epoch is over, and measured."""

    def end(self) -> None:
        """The run is over, however it ended."""


class Result(NamedTuple):
    """What a run gave: canonical weights, and the history behind them.

    `best` is the epoch of the least validation loss, from 1, where there is a validation part. The weights are its
    where the run may stop early, or did not come to its end; otherwise they are the last. `kept` is the epoch that
    they are of. `test` has loss and metric of the test part with these weights.
    """

    weights: dict[str, Array]
    history: History
    ended: Literal["finished", "stopped early", "interrupted", "diverged"]
    loss: Loss
    kept: int
    best: int | None = None
    test: dict[str, float] | None = None


def train(
    graph: Graph,
    data: Data,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
    framework: str = "torch",
    *,
    weights: Weights | None = None,
    checkpoint: Path | str | None = None,
    resume: bool = False,
    observer: Observer | None = None,
    place: Place = Place(),  # noqa: B008 (immutable)
) -> Result:
    """Train a network in `torch` or `keras`, from these weights or from those of the recipe's seed.

    After each epoch the state goes to the file `checkpoint`; `resume` goes on from there, exactly. Ctrl-C ends
    the run with what it has. Raises `SpecError` where data, recipe or checkpoint do not fit the network.
    """
    check_trains(graph)
    task = plan(graph, data, recipe, place)
    test = data.test and examples_of(task.graph, data.test, task.objective, "test")
    backend = trainable(framework)
    backend.ROWS.check(task.graph)
    if weights is not None:
        check_weights(graph, weights)
    start = init_weights(graph, recipe.seed) if weights is None else weights
    trainer = backend.open_trainer(task, start)
    run = _Run(task, trainer, observer or Observer())
    if checkpoint is not None:
        run.keep(checkpoint, framework, resume)
    interrupted = False
    if run.goes_on:
        run.observer.begin(range(len(run.rows), recipe.epochs), task.order.steps)
        try:
            trainer.fit(len(run.rows), run)
        except KeyboardInterrupt:
            interrupted = True
            if place.world > 1:  # torchrun hands on what the terminal has sent already
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        finally:
            run.observer.end()
    ended = "interrupted" if interrupted else run.ended
    alone = interrupted and place.world > 1  # the others stopped elsewhere: nothing can be summed
    kept = len(run.rows)
    if run.best is not None and (recipe.early_stopping is not None or ended != "finished"):
        trainer.load(run.best.weights)
        kept = run.best.epoch + 1
    return Result(
        trainer.weights(),
        History(tuple(run.rows)),
        ended,
        task.objective.loss,
        kept,
        None if run.best is None else run.best.epoch + 1,
        None if test is None or alone else trainer.evaluate(test),
    )


class _Run:
    """A run on its way, as the framework tells of it: `netspec.training.task.Watch`."""

    def __init__(self, task: Task, trainer: Trainer, observer: Observer) -> None:
        self.observer = observer
        self.steps = observer.steps
        self.rows: list[Row] = []
        self.best: Best | None = None
        self._waited = 0
        self._task = task
        self._trainer = trainer
        self._rates = task.recipe.rates(task.order.steps)
        self._file: tuple[Path | str, dict[str, object]] | None = None
        self._since = time.perf_counter()

    def keep(self, path: Path | str, framework: str, resume: bool) -> None:
        """Save the state after each epoch, and first take up what was saved, if the run is to go on."""
        self._file = path, files.identity(self._task, framework)
        if not resume:
            return
        saved = files.load(*self._file)
        self._trainer.load(saved.weights)
        self._trainer.restore(saved.state)
        self.rows, self.best, self._waited = [*saved.rows], saved.best, saved.waited

    @property
    def ended(self) -> Literal["finished", "stopped early", "diverged"]:
        """How the run would end after the last epoch."""
        patience = self._task.recipe.early_stopping
        if self.rows and not isfinite(self.rows[-1]["loss"]):
            return "diverged"
        if patience is not None and len(self.rows) > 1 and self._waited >= max(patience, 1):
            return "stopped early"
        return "finished"

    @property
    def goes_on(self) -> bool:
        """Whether another epoch follows."""
        return len(self.rows) < self._task.recipe.epochs and self.ended == "finished"

    def after_step(self) -> None:
        """Hand on that a batch was learned from."""
        self.observer.step()

    def after_epoch(self, epoch: int, measures: Mapping[str, float]) -> bool:
        """Measure, judge and save; whether to go on.

        Better is a validation loss that is less than the best by more than `min_delta`; the run stops after as
        many epochs without one as its patience, as Keras's `EarlyStopping` counts them.
        """
        now = time.perf_counter()
        rate = self._rates[(epoch + 1) * self._task.order.steps - 1]
        row: Row = {"epoch": epoch + 1, "lr": rate, **measures, "seconds": now - self._since}
        self.rows.append(row)
        if "val_loss" in measures:
            least = inf if self.best is None else self.best.value - self._task.recipe.min_delta
            if measures["val_loss"] < least:
                self._waited = 0
                self.best = Best(epoch, measures["val_loss"], self._trainer.weights())
            else:
                self._waited += 1
        if self._file is not None and self._task.place.rank == 0:
            path, run = self._file
            weights, state = self._trainer.weights(), self._trainer.state()
            saved = Checkpoint(tuple(self.rows), weights, state, self.best, self._waited)
            files.save(path, saved, run)
        self.observer.epoch(row)
        self._since = time.perf_counter()
        return self.goes_on
