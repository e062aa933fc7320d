"""Folding: the same function by the float64 reference, for every layer and over random graphs."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import chain, graph_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netspec.backend import load_backend
from netspec.builder import GraphBuilder
from netspec.ops.activation.rectifiers import Relu
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.input import Input
from netspec.ops.merge import Add
from netspec.ops.norm.batch import BatchNorm
from netspec.ops.pool import MaxPool
from netspec.passes import Model, optimize, run_passes
from netspec.passes.affine.propagate import fold_batchnorm
from netspec.passes.validate import validate
from netspec.weights import check_weights, random_weights

reference = load_backend("reference")


def predict(model, feeds):
    return reference.open_session(model.graph, model.weights, "float64").predict(feeds)


def feeds_for(graph, seed=0):
    draws = np.random.default_rng(seed)
    return {node.name: draws.normal(size=(3, *node.shape.sizes)) for node in graph.inputs}


def doubles(graph, seed=0):
    return {name: w.astype(np.float64) for name, w in random_weights(graph, seed).items()}


def kinds(graph):
    return [node.op.kind for node in graph.nodes]


def assert_same_function(model, folded, limit):
    validate(folded.graph)
    check_weights(folded.graph, folded.weights)
    feeds = feeds_for(model.graph)
    before, after = predict(model, feeds), predict(folded, feeds)
    assert before.keys() == after.keys()
    for name, wanted in before.items():
        scale = max(np.abs(wanted).max(), 1e-3)
        assert np.abs(after[name] - wanted).max() <= limit * scale


LAYERS = [
    ("input 4 6 7", "conv 6 3"),
    ("input 4 6 7", "conv 6 3 bias=false"),
    ("input 4 6 7", "conv 6 3 padding=1 stride=2 groups=2"),
    ("input 4 6 7", "conv 8 3 groups=4 bias=false"),
    ("input 4 3 5 4", "conv 6 2 groups=2"),
    ("input 4 5 6", "conv_transpose 6 3 stride=2"),
    ("input 4 5 6", "conv_transpose 6 3 stride=2 groups=2 bias=false"),
    ("input 4 5 6", "conv_transpose 8 2 groups=4"),
    ("input 4 3 2 3", "conv_transpose 6 2 groups=2"),
    ("input 4 6 7", "conv 6 3 padding=1 mode=reflect"),
    ("input 7 4", "conv 6 3 padding=causal"),
    ("input 7 4", "conv_transpose 6 3 groups=2"),
    ("input 7 4", "dense 5"),
    ("input 9", "dense 5"),
    ("input 9", "dense 5 bias=false"),
    ("input 3 4 4", "dense 5"),
]
NORMS = ["bn", "bn affine=false", "bn eps=0.1"]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("given_shape", "layer"), LAYERS)
def test_every_linear_layer_takes_its_norm(given_shape, layer, norm):
    graph = chain(given_shape, layer, norm, "relu")
    model = Model(graph, doubles(graph))
    folded = fold_batchnorm(model)
    assert kinds(folded.graph) == [kind for kind in kinds(graph) if kind != "bn"]
    assert_same_function(model, folded, 1e-13)


@pytest.mark.parametrize(("given_shape", "layer"), LAYERS)
def test_weights_are_rounded_once(given_shape, layer):
    graph = chain(given_shape, layer, "bn", "bn affine=false", "bn eps=1e-3")
    single = random_weights(graph)
    double = {name: array.astype(np.float64) for name, array in single.items()}
    folded, exact = (optimize(graph, weights, ["fold-bn"]) for weights in (single, double))
    assert "bn" not in kinds(folded.graph)
    for name, array in folded.weights.items():
        np.testing.assert_array_equal(array, exact.weights[name].astype(np.float32), strict=True)


def test_zero_and_negative_scales_fold():
    graph = chain("input 3 6 6", "conv 4 3", "bn", "relu")
    weights = doubles(graph)
    weights["bn1.weight"] = np.array([-2.0, 0.0, -0.0, 1.5])
    model = Model(graph, weights)
    assert_same_function(model, fold_batchnorm(model), 1e-13)


def test_a_large_mean_and_bias_cancel_before_rounding():
    graph = chain("input 8", "dense 8", "bn")
    weights = random_weights(graph)
    weights["dense1.bias"] += np.float32(1e4)
    weights["bn1.running_mean"] += np.float32(1e4)
    model = Model(graph, weights)
    assert_same_function(model, fold_batchnorm(model), 1e-6)


NOT_FOLDED = {
    "the layer is read twice": (
        "input 3 6 6 -> conv 4 3\nadd { bn | @ }",
        "`add1` reads `conv1` too",
    ),
    "two norms read the layer": (
        "input 3 6 6 -> conv 4 3\nadd { bn | bn }",
        "`bn2` reads `conv1` too",
    ),
    "the layer is a result": (
        "input 3 6 6\nconv 4 3\n@y = @\nbn\nout y=@y, z=@",
        "`conv1` is a result of the network",
    ),
    "the first norm is a result": (
        "input 3 6 6\nrelu -> bn\n@y = @\nbn\nout y=@y, z=@",
        "`bn1` is a result of the network",
    ),
    "a nonlinearity stands between": (
        "input 3 6 6 -> conv 4 3 -> relu -> bn",
        "`relu1` is no linear layer",
    ),
    "a pool stands between": (
        "input 3 6 6 -> conv 4 3 -> pool 2 -> bn",
        "`pool1` is no linear layer",
    ),
    "the layer standardises what it is scaled by": (
        "input 3 6 6 -> wsconv 4 3 -> bn",
        "`wsconv1` is no linear layer",
    ),
    "nothing linear stands before": (
        "input 3 6 6 -> bn -> conv 4 3",
        "`input` is where data enters",
    ),
    "a shared layer has the norm behind one of its uses": (
        "input 4 6 6\nshare c = conv 4 1\nc -> bn -> c",
        "`c` shares its weights with `c2`",
    ),
    "a shared layer has two norms": (
        "input 4 6 6\nshare c = conv 4 1\nc -> bn -> c -> bn",
        "`c2` shares its weights with `c`",
    ),
    "a shared norm stands behind a nonlinearity too": (
        "input 4 6 6\nshare n = bn\nconv 4 1 -> n -> relu -> n",
        "`relu1` is no linear layer",
    ),
    "a shared norm's layer serves another use": (
        "input 4 6 6\nshare c = conv 4 1\nshare n = bn\nc -> n -> c",
        "`c` shares its weights with `c2`",
    ),
    "the weight is tied": (
        "input 4\nshare d = dense 4\nd -> bn -> tied d",
        "`d` shares its weights with `tied1`",
    ),
    "one use of a shared layer is a result": (
        "input 4 6 6\nshare c = conv 4 1\nshare n = bn\n@y = c\n@y -> n -> c -> n\nout y=@y, z=@",
        "`c` is a result of the network",
    ),
}


@pytest.mark.parametrize(("text", "reason"), NOT_FOLDED.values(), ids=NOT_FOLDED.keys())
def test_a_norm_stays_where(text, reason):
    graph = graph_of(text)
    model = Model(graph, doubles(graph))
    left = fold_batchnorm(model)
    assert left.graph is graph
    assert left.weights is model.weights
    assert f"stays: {reason}" in {note.text for note in left.notes}
    assert fold_batchnorm(Model(graph)).graph is graph


FOLDED = {
    "a shared scope": "share e = { conv 4 3 padding=1 bias=false -> bn -> relu }\ninput 4 6 6\ne -> e -> e",
    "a shared layer and its shared norm": "share c = conv 4 1\nshare n = bn\ninput 4 6 6\nc -> n -> relu -> c -> n",
    "a shared norm behind several layers": (
        "share n = bn\ninput 4 6 6\nconv 4 1 -> n -> relu -> conv 4 1 -> n"
    ),
    "norms in a row, the second first": (
        "share n = bn\nshare m = bn eps=0.1\ninput 4 6 6\nconv 4 1 -> m -> relu -> conv 4 1 -> n -> m"
    ),
    "scopes within scopes": (
        "share o = { share e = dense 4 bias=false -> bn; e -> relu -> e }\ninput 4\no -> o"
    ),
}


@pytest.mark.parametrize("text", FOLDED.values(), ids=FOLDED.keys())
def test_what_is_shared_folds_once_for_all_its_uses(text):
    graph = graph_of(text)
    model = Model(graph, doubles(graph))
    folded = fold_batchnorm(model)
    assert "bn" not in kinds(folded.graph)
    assert fold_batchnorm(folded).graph is folded.graph
    assert_same_function(model, folded, 1e-13)


def test_of_norms_in_a_row_those_before_a_result_fold():
    graph = graph_of("input 3 6 6\nconv 4 3 -> bn\n@y = @\nbn\nout y=@y, z=@")
    model = Model(graph, doubles(graph))
    folded = fold_batchnorm(model)
    assert kinds(folded.graph) == ["input", "conv", "bn"]
    assert [(o.name, o.node) for o in folded.graph.outputs] == [("y", "conv1"), ("z", "bn2")]
    assert_same_function(model, folded, 1e-13)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bn1.running_mean", np.nan),
        ("bn1.running_mean", np.inf),
        ("bn1.running_var", np.inf),
        ("bn1.running_var", -1e-9),
        ("bn1.weight", np.nan),
        ("bn1.bias", -np.inf),
        ("bn1.weight", 3e38),
    ],
)
def test_a_norm_with_impossible_numbers_stays(name, value):
    graph = chain("input 3 6 6", "conv 4 3", "bn", "relu", "conv 4 3", "bn")
    weights = random_weights(graph)
    weights["conv1.weight"][1] = 10
    weights[name][1] = value
    folded = fold_batchnorm(Model(graph, weights))
    assert kinds(folded.graph) == ["input", "conv", "bn", "relu", "conv"]
    np.testing.assert_array_equal(folded.weights["conv1.weight"], weights["conv1.weight"])
    np.testing.assert_array_equal(folded.weights[name], weights[name])


def test_names_scopes_and_positions_follow():
    graph = graph_of(
        "block tail() { bn }\n"
        "block cbn(c) { conv c 3 bias=false -> bn }\n"
        "input 3 8 8\n"
        "stem: cbn 4\n"
        "relu\n"
        "last: conv 4 3 -> end: tail"
    )
    folded = fold_batchnorm(Model(graph)).graph
    assert [node.name for node in folded.nodes] == ["input", "stem.conv1", "relu1", "last"]
    assert [scope.path for scope in folded.scopes] == ["stem"]
    assert folded.outputs[0].node == "last"
    assert folded.positions.keys() == {"input", "stem", "stem.conv1", "relu1", "last"}
    validate(folded)


def test_the_structure_folds_as_it_does_with_weights():
    graph = chain("input 3 8 8", "conv 4 3 bias=false", "bn", "relu", "dense 5", "bn", "bn")
    model = Model(graph, random_weights(graph))
    assert fold_batchnorm(Model(graph)) == fold_batchnorm(model)._replace(weights=None)


def test_the_model_given_is_left_alone():
    graph = chain("input 3 8 8", "conv 4 3", "bn")
    weights = random_weights(graph)
    kept = {name: array.copy() for name, array in weights.items()}
    text = graph.to_json()
    fold_batchnorm(Model(graph, weights))
    assert graph.to_json() == text
    assert weights.keys() == kept.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(array, kept[name], strict=True)


@st.composite
def networks(draw):
    """Small graphs, mostly convolutions and batch norms, with skips, and results in the middle."""
    builder = GraphBuilder("random")
    values = [builder.add(Input(sizes=(4, 5, 5)), [])]
    for _ in range(draw(st.integers(2, 12))):
        source = values[draw(st.integers(max(0, len(values) - 3), len(values) - 1))]
        bias = draw(st.booleans())
        groups = draw(st.sampled_from([1, 2, 4]))
        convolution = {"filters": 4, "kernel": 3, "padding": 1, "groups": groups, "bias": bias}
        ops = [
            Conv(**convolution),
            ConvTranspose(**convolution),
            BatchNorm(eps=draw(st.sampled_from([1e-5, 1e-3])), affine=draw(st.booleans())),
            BatchNorm(),
            Relu(),
            Add(),
        ]
        op = draw(st.sampled_from(ops))
        values.append(builder.add(op, [source, values[-1]] if isinstance(op, Add) else [source]))
    values.append(builder.add(MaxPool(kernel=2), [values[-1]]))
    for op in (Dense(units=3, bias=False), BatchNorm(affine=False)):
        values.append(builder.add(op, [values[-1]]))
    middle = draw(st.lists(st.sampled_from(values[1:-1]), max_size=2, unique=True))
    return builder.finish([(f"y{i}", value) for i, value in enumerate([*middle, values[-1]])])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.integers(0, 1000))
def test_random_networks_keep_their_function(graph, seed):
    model = Model(graph, doubles(graph, seed))
    folded = run_passes(model, [fold_batchnorm])
    assert_same_function(model, folded, 1e-11)
    again = fold_batchnorm(folded)
    assert again.graph == folded.graph
    assert all(again.weights[name] is array for name, array in folded.weights.items())
    foldable = [
        node.name
        for node in folded.graph.nodes
        if node.op.kind == "bn"
        and folded.graph.by_name[node.inputs[0]].op.kind in ("conv", "conv_transpose", "dense")
        and len(folded.graph.readers[node.inputs[0]]) == 1
        and node.inputs[0] not in {output.node for output in folded.graph.outputs}
    ]
    assert not foldable
