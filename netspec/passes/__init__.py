"""What a pass is: Model -> Model, pure and idempotent; one pass, one file of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from netspec.ir import Graph
from netspec.passes.validate import validate

if TYPE_CHECKING:
    from netspec.weights import Weights


class Model(NamedTuple):
    """A network on its way through the passes; without weights its structure alone is rewritten."""

    graph: Graph
    weights: Weights | None = None


Pass = Callable[[Model], Model]


def run_passes(model: Model, passes: Iterable[Pass]) -> Model:
    """The model after these passes in their order, each held to the invariants of a graph."""
    for step in passes:
        model = step(model)
        validate(model.graph)
    return model
