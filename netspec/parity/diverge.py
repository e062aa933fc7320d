"""Where a target first leaves the reference: the results of all layers, one after another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from netspec.ir import Graph, Node, Output
from netspec.parity.compare import Check
from netspec.parity.exchange import Exercise
from netspec.sizes import bind, measure
from netspec.weights import Array, np


class Divergence(NamedTuple):
    """The first layer that is wrong although all that it is given is right.

    Without a `node` there is none, and `explanation` says why.
    """

    target: str
    precision: str
    mode: str
    node: Node | None = None
    check: Check | None = None
    explanation: str | None = None


def expose(graph: Graph) -> Graph:
    """The same network without scopes, each layer's result an output of the layer's name.

    Where a weight has that name, as in `shift`, the output is `value` below it.
    """
    outputs = tuple(Output(name=name, node=node.name) for name, node in _layers(graph))
    return graph.model_copy(update={"outputs": outputs, "scopes": ()})


def expose_exercise(graph: Graph, exercise: Exercise, prediction: int) -> Exercise:
    """One prediction and the training step of an exercise, for the exposed graph.

    The loss stays the same: results that were not outputs before have no part in it.
    """
    chosen = (exercise.predictions[prediction],)
    if exercise.step_inputs is None or exercise.cotangents is None:
        return Exercise(chosen)
    batch = len(next(iter(exercise.cotangents.values())))
    given = {name: array.shape[1:] for name, array in exercise.step_inputs.items()}
    sized = bind(graph, measure(graph, given))
    cotangents: dict[str, Array] = {
        name: np.zeros((batch, *node.shape.sizes), np.float32) for name, node in _layers(sized)
    }
    names = {node.name: name for name, node in _layers(graph)}
    for output in graph.outputs:
        if output.node in names:
            cotangents[names[output.node]] += exercise.cotangents[output.name]
    return Exercise(chosen, exercise.step_inputs, cotangents)


def first_wrong(graph: Graph, checks: Iterable[Check]) -> tuple[Node, Check] | None:
    """The first node of an exposed graph with a failed check, in the order of computation.

    Results and statistics come forward, gradients from the last layer to the first.
    """
    place = {node.name: index for index, node in enumerate(graph.nodes)}
    found: list[tuple[bool, int, Check]] = []
    for check in checks:
        if check.passed:
            continue
        layer = check.name if check.name in place else check.name.rpartition(".")[0]
        backward = check.quantity == "gradient"
        if layer in place:
            found.append((backward, -place[layer] if backward else place[layer], check))
    if not found:
        return None
    _, index, check = min(found, key=lambda entry: entry[:2])
    return graph.nodes[abs(index)], check


def _layers(graph: Graph) -> list[tuple[str, Node]]:
    """All that compute something, with the names that their results get."""
    weights = {name for name, _ in graph.weights()}
    return [
        (f"{node.name}.value" if node.name in weights else node.name, node)
        for node in graph.nodes
        if node.op.kind != "input"
    ]
