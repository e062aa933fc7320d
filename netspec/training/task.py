"""What there is to train: a network, its data as it takes them, its loss. Knows no framework."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph
from netspec.ops.norm.batch import BatchNorm
from netspec.training.examples import (
    Examples,
    Objective,
    check_classes,
    examples_of,
    objective_of,
    trained_graph,
)
from netspec.training.order import Order, split
from netspec.training.recipe import Recipe

if TYPE_CHECKING:
    from netspec.training.data import Data, Part
    from netspec.weights import Array, Weights


class Place(NamedTuple):
    """Where a run computes: a device, and which of how many processes this one is."""

    device: str = "cpu"
    rank: int = 0
    world: int = 1


def torchrun(device: str) -> Place:
    """The place of a process that torchrun started. Raises `SpecError` in any other."""
    try:
        rank, world, local = (
            int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        )
    except KeyError:
        message = "no other process takes part: torchrun did not start this one"
        cure = "torchrun --nproc-per-node 2 -m netspec train ... --distributed"
        raise SpecError(Diagnostic("not-distributed", message, help=cure)) from None
    return Place(f"cuda:{local}" if device == "cuda" else device, rank, world)


class Task(NamedTuple):
    """All that a framework is told of a run. The graph gives what the loss takes: logits, where they count."""

    graph: Graph
    recipe: Recipe
    objective: Objective
    train: Examples
    val: Examples | None
    order: Order
    place: Place

    @property
    def has_kernels(self) -> bool:
        """Whether there are kernels over images."""
        return any(len(weight.shape) == 4 for _, weight in self.graph.weights())

    @property
    def decayed(self) -> frozenset[str]:
        """The weights that decay: those of two axes or more (no bias, no scale of a norm), or all that learn."""
        everything = self.recipe.decay_all
        return frozenset(
            name
            for name, weight in self.graph.weights()
            if weight.trainable and (everything or len(weight.shape) > 1)
        )


class Watch(Protocol):
    """What a framework tells of a run while it trains."""

    steps: bool
    """Whether each step is told, too."""

    def after_step(self) -> None:
        """A batch was learned from."""

    def after_epoch(self, epoch: int, measures: Mapping[str, float]) -> bool:
        """`loss` and metric, those of the validation part with `val_`; whether to go on. Epochs count from 0."""


class Trainer(Protocol):
    """A network with its optimizer, in a framework."""

    def fit(self, first: int, watch: Watch) -> None:
        """Train from this epoch to the last of the recipe, or until the watch says no."""

    def evaluate(self, examples: Examples) -> dict[str, float]:
        """Loss and metric in inference mode."""

    def weights(self) -> dict[str, Array]:
        """Copies of the weights, canonical."""

    def load(self, weights: Weights) -> None:
        """Take these weights."""

    def state(self) -> dict[str, Array]:
        """Copies of what the optimizer holds."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take what `state` gave."""


def plan(graph: Graph, data: Data, recipe: Recipe, place: Place = Place()) -> Task:  # noqa: B008
    """The task of a recipe, with data fitted to the network. Raises `SpecError` for all that does not fit."""
    train, val = _parts(data, recipe)
    objective = objective_of(graph, train.y, recipe)
    check_classes(data.classes, objective)
    graph = trained_graph(graph, objective.loss)
    examples = examples_of(graph, train, objective, "train")
    objective = objective.weighted(recipe, examples.targets)
    held = None if val is None else examples_of(graph, val, objective, "val")
    norms = any(isinstance(node.op, BatchNorm) for node in graph.nodes)
    least = max(place.world, 2) if norms else 1
    order = Order(len(examples.targets), recipe.batch, recipe.seed, least)
    smaller = min(recipe.batch, order.examples)
    if smaller < max(least, place.world):
        why = (
            f"each of {place.world} processes takes part in every step"
            if place.world > 1
            else "batch norm learns nothing from one example"
        )
        message = f"batches of {smaller} are too small: {why}"
        raise SpecError(Diagnostic("small-batch", message))
    return Task(graph, recipe, objective, examples, held, order, place)


def _parts(data: Data, recipe: Recipe) -> tuple[Part, Part | None]:
    """What is learned from, and what a run is watched by."""
    if data.val is not None and recipe.val_split:
        message = f"{data.name} has a validation part, and `val-split` asks for another"
        raise SpecError(Diagnostic("bad-data", message, help="leave one of them out"))
    train, val = data.train, data.val
    if recipe.val_split:
        kept, held = split(len(train.y), recipe.val_split, recipe.seed)
        if not len(held):
            message = f"`val-split` {recipe.val_split:g} of {len(train.y)} examples is none"
            raise SpecError(Diagnostic("bad-data", message))
        train, val = train.take(kept), train.take(held)
    if recipe.early_stopping is not None and val is None:
        message = "early stopping needs examples that are not learned from"
        cure = "hold some out, as with `--val-split 0.1`, or give `x_val` and `y_val`"
        raise SpecError(Diagnostic("no-validation", message, help=cure))
    return train, val
