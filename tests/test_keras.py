"""The Keras target's numbers: every op and whole networks, in a process that may hold TensorFlow."""

from __future__ import annotations

import keras_worker
import numpy as np
import pytest
from graphs import (
    REALISED_UNSIZED,
    assert_close,
    chain,
    draw_inputs,
    example_graph,
    example_id,
    graph_of,
    joined,
    realises,
    unsized_examples,
)
from keras_networks import CNN, FOUND_BY_FUZZING, NETWORKS, UNSIZED
from keras_process import REALISED, check, feeds_for, process, reference, target
from shared import SHARED

from netspec.ops import all_ops
from netspec.parity.diverge import expose
from netspec.weights import random_weights

INEXACT = ("attention", "geglu", "gelu", "leaky_relu")
"""TensorFlow holds a constant of these in float32, in a float64 network too."""


@pytest.fixture(scope="module")
def keras():
    with process("tensorflow") as call:
        yield call


@pytest.fixture(params=NETWORKS)
def network(request):
    return graph_of(NETWORKS[request.param], request.param)


def pools_a_volume(op, example):
    return op.kind in ("pool", "avgpool", "l2pool") and len(example.output) == 4


def kind_of(op):
    return op.kind


DOUBLE = [case for case in REALISED if not pools_a_volume(*case)]

SINGLE = [case for case in REALISED if pools_a_volume(*case)]


@pytest.mark.parametrize("op", tuple(dict.fromkeys(op for op, _ in DOUBLE)), ids=kind_of)
def test_every_op_agrees_with_the_reference(keras, op):
    """All its examples in one model: the first is called `g0`."""
    graphs = [example_graph(*case) for case in DOUBLE if case[0] is op]
    check(keras, joined(graphs), "float64", 1e-7 if op.kind in INEXACT else 1e-9)


@pytest.mark.parametrize("text", FOUND_BY_FUZZING)
def test_what_was_found_by_fuzzing(keras, text):
    check(keras, graph_of(text), "float64", 1e-7)


@pytest.mark.parametrize("op", tuple(all_ops()), ids=kind_of)
def test_every_op_agrees_at_several_sizes_or_is_refused(keras, op):
    """All its examples whose sizes are unknown in one model, twice as they can be, in float32: it pools volumes."""
    cases = [(graph, choices) for graph, choices in unsized_examples(op) if realises(target, graph)]
    assert cases or op.kind not in REALISED_UNSIZED
    if not cases:
        return
    whole = joined([graph for graph, _ in cases])
    weights = random_weights(whole)
    choices = [
        {name: size for _, found in cases for name, size in found[turn].items()} for turn in (0, -1)
    ]
    batches = [draw_inputs(whole, sizes, batch=2) for sizes in choices]
    found, _ = keras(keras_worker.examine, whole, weights, "float32", batches, None)
    oracle = reference.open_session(whole, weights, "float64")
    for mine, feeds in zip(found, batches, strict=True):
        assert_close(mine, oracle.predict(feeds), 4e-6)


def test_networks_agree_at_several_sizes(keras):
    for text, choices in UNSIZED:
        graph = graph_of(text)
        weights = random_weights(graph)
        oracle = reference.open_session(graph, weights, "float64")
        for sizes in choices:
            feeds = draw_inputs(graph, sizes, batch=5)
            wanted = oracle.predict(feeds)
            step = (feeds, {name: np.cos(array) for name, array in wanted.items()})
            found, after = keras(keras_worker.examine, graph, weights, "float64", [feeds], step)
            assert_close(found[0], wanted, 1e-9)
            for mine, theirs in zip(after, oracle.train_step(*step), strict=True):
                assert_close(mine, theirs, 1e-9)


@pytest.mark.parametrize("kind", ["pool", "avgpool"])
def test_pools_of_volumes_agree_in_float32(keras, kind):
    graphs = [example_graph(*case) for case in SINGLE if case[0].kind == kind]
    check(keras, joined(graphs), "float32", 2e-6)


@pytest.mark.parametrize(("op", "example"), SINGLE, ids=example_id)
def test_pools_of_volumes_are_refused_in_float64(keras, op, example):
    graph = example_graph(op, example)
    words = keras(keras_worker.refusal, graph, random_weights(graph), "float64")
    assert words == (
        f"unsupported: TensorFlow pools volumes in float32 only, not in float64 ({op.kind}1)"
    )


def test_networks_agree_in_float64(keras, network):
    limit = 1e-8 if any(node.op.kind in INEXACT for node in network.nodes) else 1e-9
    check(keras, network, "float64", limit)


def test_networks_agree_in_float32(keras, network):
    check(keras, network, "float32", 5e-6, training=False)


def test_weights_come_back_as_they_were(keras, network):
    weights = random_weights(network)
    found = keras(keras_worker.round_trip, network, weights)
    assert list(found) == [name for name, _ in network.weights()]
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_a_saved_model_is_the_same(keras):
    graph = graph_of(CNN)
    weights = random_weights(graph)
    x = np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype(np.float32)
    before, after, found = keras(keras_worker.reload, graph, weights, x)
    np.testing.assert_array_equal(after, before, strict=True)
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize("name", SHARED)
def test_shared_layers_agree_whole_and_layer_by_layer(keras, name):
    """The second time every layer is a result, so that all are seen and none is part of a model within."""
    graph = graph_of(SHARED[name])
    check(keras, graph, "float64", 1e-6 if name == "language model" else 1e-12)
    check(keras, expose(graph), "float64", 1e-6 if name == "language model" else 1e-12)


@pytest.mark.parametrize("name", ["towers", "order of statistics", "a parameter", "language model"])
def test_a_saved_model_shares_its_layers(keras, name):
    graph = graph_of(SHARED[name])
    weights, feeds = random_weights(graph), feeds_for(graph, 7)
    held = [np.moveaxis(x, 1, -1) if x.ndim == 4 else x for x in feeds.values()]
    before, after, found = keras(keras_worker.reload, graph, weights, held)
    np.testing.assert_array_equal(after, before, strict=True)
    assert list(found) == [name for name, _ in graph.weights()]
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_shared_layers_are_made_once(keras):
    graph = graph_of(SHARED["towers"])
    _, classes = keras(keras_worker.layers, graph, random_weights(graph))
    assert classes["tower"] == "Functional"
    assert {"tower2", "tower_conv1"}.isdisjoint(classes)


def test_layers_are_called_as_their_nodes(keras, network):
    name, classes = keras(keras_worker.layers, network, random_weights(network))
    assert name == network.name.lower()
    wanted = {node.name.replace(".", "_") for node in network.nodes}
    assert wanted <= classes.keys()
    for more in classes.keys() - wanted:
        assert more.rpartition("_")[0] in wanted
    assert "Lambda" not in classes.values()


def test_dropout_drops_in_training(keras):
    graph = chain("input 4000", "dropout 0.3")
    x = np.ones((2, 4000), np.float32)
    found = keras(keras_worker.in_training, graph, {}, x)
    check_dropped(found, 0.3, 0.03)


@pytest.mark.parametrize(
    ("line", "size", "shape", "together"),
    [
        ("spatial_dropout 0.25", "20 3 2", (3, 2, 20), (1, 2)),
        ("spatial_dropout 0.25", "6 20", (6, 20), (1,)),
        ("spatial_dropout 0.25", "20 2 2 2", (2, 2, 2, 20), (1, 2, 3)),
        ("drop_path 0.25", "20 3 2", (3, 2, 20), (1, 2, 3)),
        ("drop_path 0.25", "6 20", (6, 20), (1, 2)),
        ("drop_path 0.25", "20", (20,), (1,)),
    ],
)
def test_dropout_drops_what_belongs_together(keras, line, size, shape, together):
    count = 4000 if "path" in line else 200
    x = np.ones((count, *shape), np.float32)
    found = keras(keras_worker.in_training, chain(f"input {size}", line), {}, x)
    assert (found.min(together) == found.max(together)).all()
    check_dropped(found, 0.25, 0.03)


def check_dropped(found, rate, tolerance):
    """All is zero or scaled, so that the mean stays."""
    assert set(np.unique(found)) == {0, np.float32(1 / (1 - rate))}
    assert abs(np.mean(found == 0) - rate) < tolerance


def test_alpha_dropout_keeps_mean_and_variance(keras):
    x = np.random.default_rng(0).normal(size=(50, 4000)).astype(np.float32)
    found = keras(keras_worker.in_training, chain("input 4000", "alpha_dropout 0.3"), {}, x)
    assert abs(found.mean()) < 0.02
    assert abs(found.var() - 1) < 0.02
    values, counts = np.unique(found, return_counts=True)
    assert abs(counts.max() / found.size - 0.3) < 0.01
    assert values[counts.argmax()] < -1


MC_DROPOUT = """
input 6 6 10
out element=(dropout 0.25), channel=(spatial_dropout 0.25), example=(drop_path 0.25)
"""


def test_a_session_that_is_called_often_becomes_one_graph(keras):
    graph = graph_of(CNN)
    weights = random_weights(graph)
    batches = [feeds_for(graph, size) for size in (1, 2, 1, 3, 2)]
    found, _ = keras(keras_worker.examine, graph, weights, "float32", batches, None)
    oracle = reference.open_session(graph, weights, "float64")
    for feeds, mine in zip(batches, found, strict=True):
        assert_close(mine, oracle.predict(feeds), 1e-5)


def test_dropout_at_inference_drops_what_belongs_together(keras):
    x = np.ones((2000, 6, 10, 6), np.float32)
    runs = keras(keras_worker.sampled, graph_of(MC_DROPOUT), {}, x)
    for together, several in zip(((), (1, 2), (1, 2, 3)), zip(*runs, strict=True), strict=True):
        for values in several:
            check_dropped(values, 0.25, 0.03)
            assert (values.min(together) == values.max(together)).all()
            assert (values[0] != values[1:5]).any()
        assert (several[0] != several[1]).any()


@pytest.mark.parametrize("more", ["", "kv_heads=1 causal=true", "rotary=true"])
def test_attention_at_inference_drops_weights(keras, more):
    """With its output linear in the weights, the mean over many runs is what the network gives without dropout."""
    graph = chain("input 5 4", f"attention 2 dropout=0.5 {more}")
    weights = random_weights(graph)
    x = np.random.default_rng(1).normal(size=(1, 5, 4)).astype(np.float32)
    wanted = reference.open_session(graph, weights, "float64").predict({"input": x})["output"]
    for values in keras(keras_worker.sampled, graph, weights, np.repeat(x, 4000, axis=0)):
        spread = values.std(0)
        assert spread.max() > 0.05
        assert (np.abs(values.mean(0) - wanted) <= 5 * spread / 4000**0.5 + 1e-6).all()


def test_a_float64_session_leaves_the_settings_alone(keras):
    graph = chain("input 4", "dense 2")
    found = keras(keras_worker.settings_after, graph, random_weights(graph))
    assert found == ("float32", "float32")


def test_a_model_of_another_graph_is_refused(keras):
    graph, other = chain("input 4", "dense 2"), chain("input 4", "dense 3", "relu")
    words = keras(keras_worker.misfit, graph, random_weights(graph), other)
    assert words == (
        "unlike-model: the Keras model has no `kernel` of shape (4, 2) in a layer `dense1`\n"
        "unlike-model: the Keras model has no `bias` of shape (2,) in a layer `dense1`"
    )
