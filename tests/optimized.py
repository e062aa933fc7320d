"""What every pass must keep: the network's numbers, and its peace when it runs again. Imports no framework."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from graphs import draw_inputs, graph_of

import netspec
from netspec.backend import load_backend
from netspec.ir import Graph, Node
from netspec.passes import OPTIMIZE, Model
from netspec.passes.affine.maps import MAPS
from netspec.sizes import bind, unknowns
from netspec.weights import Array, Weights, random_weights

SIZE = 8
"""What an unknown size is."""


def maps_of(graph: Graph) -> list[Node]:
    """The nodes that are affine maps."""
    return [node for node in graph.nodes if isinstance(node.op, MAPS)]


def doubles(weights: Weights) -> dict[str, Array]:
    """The weights in float64."""
    return {name: array.astype(np.float64) for name, array in weights.items()}


def close(found: Mapping[str, Array], wanted: Mapping[str, Array], limit: float = 1e-12) -> None:
    """Assert that the error of each result is at most `limit` times its largest number."""
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        assert np.abs(found[name] - expected).max() <= limit * max(np.abs(expected).max(), 1e-6)


def predict(graph: Graph, weights: Weights, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """The reference's results in float64."""
    session = load_backend("reference").open_session(graph, weights, "float64")
    with np.errstate(all="ignore"):
        return session.predict(feeds)


def work(graph: Graph) -> int:
    """Multiply-adds of one example."""
    sized = bind(graph, dict.fromkeys(unknowns(graph), SIZE))
    return sum(node.op.macs(node.shape, *sized.input_shapes(node)) for node in sized.nodes)


def optimized(
    network: str | Graph, passes: Iterable[str] = OPTIMIZE, tolerance: float = 1e-12
) -> Model:
    """The network after the passes, which give what it gave, add no work, and do nothing when they run again.

    The error of each result is at most `tolerance` times its largest number. Without weights, and with
    those in float64, the passes give the same graph.
    """
    graph = graph_of(network) if isinstance(network, str) else network
    weights = doubles(random_weights(graph))
    passes = tuple(passes)
    model = netspec.optimize(graph, weights, passes)
    again = netspec.optimize(model.graph, model.weights, passes)
    assert again.graph == model.graph
    assert not any(note.changed for note in again.notes)
    assert netspec.optimize(graph, None, passes).graph == model.graph
    assert work(model.graph) <= work(graph)
    assert len(model.graph.nodes) <= len(graph.nodes)
    assert model.weights.keys() == {name for name, _ in model.graph.weights()}
    feeds = draw_inputs(graph, dict.fromkeys(unknowns(graph), SIZE), batch=2)
    wanted = predict(graph, weights, feeds)
    found = predict(model.graph, model.weights, feeds)
    assert list(found) == list(wanted)
    for name, array in found.items():
        scale = np.abs(wanted[name]).max() if wanted[name].size else 0
        np.testing.assert_allclose(array, wanted[name], rtol=0, atol=tolerance * scale)
    return model


def kinds(model: Model) -> list[str]:
    """The ops that are left, in order."""
    return [node.op.kind for node in model.graph.nodes]
