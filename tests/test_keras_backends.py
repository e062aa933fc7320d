"""Keras on JAX and on PyTorch, each in a process of its own: every op and whole networks, as on TensorFlow."""

from __future__ import annotations

import pytest
from graphs import example_graph, graph_of, joined
from keras_networks import NETWORKS
from keras_process import REALISED, check, process


@pytest.fixture(scope="module", params=["jax", "torch"])
def backend(request):
    return request.param


@pytest.fixture(scope="module")
def keras(backend):
    with process(backend) as call:
        yield call


@pytest.mark.parametrize("op", tuple(dict.fromkeys(op for op, _ in REALISED)), ids=lambda o: o.kind)
def test_every_op_agrees_with_the_reference(backend, keras, op):
    """Its examples in one model; in float32, which both have without settings of their own.

    JAX compiles every operation for every size, so there is one batch, and on JAX two examples: the first
    and the last. The code is the same as on the others, which run them all.
    """
    graphs = [example_graph(*case) for case in REALISED if case[0] is op]
    if backend == "jax":
        graphs = graphs[:: max(len(graphs) - 1, 1)]
    check(keras, joined(graphs), "float32", 1e-5, training=1e-3, sizes=[7])


@pytest.mark.parametrize("name", ["cnn", "inverted", "two_sided", "volume", "equal"])
def test_networks_agree_with_the_reference(keras, name):
    """Networks whose gradients are far from zero, where float32 can tell them from rounding."""
    check(keras, graph_of(NETWORKS[name]), "float32", 1e-5, training=5e-3)


@pytest.mark.parametrize("name", ["residual", "temporal"])
def test_networks_infer_as_the_reference_does(keras, name):
    """Their gradients are compared in float64, on TensorFlow: here some are rounding alone."""
    check(keras, graph_of(NETWORKS[name]), "float32", 1e-5, training=False)
