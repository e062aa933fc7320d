"""Affine maps go where they cost nothing: the table of docs/optimizer.md, what moves, what stays and why."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from graphs import draw_inputs, graph_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optimized import predict, work

import netspec
from netspec.backend import load_backend
from netspec.builder import GraphBuilder
from netspec.ops import find
from netspec.passes import Model, run_passes
from netspec.passes.affine.maps import MAPS
from netspec.passes.affine.propagate import affine_backward, affine_forward
from netspec.sizes import unknowns
from netspec.weights import random_weights

PAGE = Path(__file__).parent.parent / "docs" / "optimizer.md"
ROW = re.compile(r"^\| `(.+)` \| (\d) \| (\d) \| (\d) \|$", re.MULTILINE)
PATTERNS = [
    (text.replace(r"\|", "|"), int(maps), int(left), int(left_if_positive))
    for text, maps, left, left_if_positive in ROW.findall(PAGE.read_text())
]
STEPS = ("drop-identity", "affine-backward", "affine-forward")


def maps_of(graph):
    return [node for node in graph.nodes if isinstance(node.op, MAPS)]


def doubles(weights):
    return {name: array.astype(np.float64) for name, array in weights.items()}


def close(found, wanted, limit=1e-12):
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        assert np.abs(found[name] - expected).max() <= limit * max(np.abs(expected).max(), 1e-6)


@pytest.fixture(scope="module")
def all_patterns():
    """One network of all patterns, each in a scope of its own with a result of its own."""
    scopes = [f"@x -> p{i}: {{ {row[0]} }}\n@p{i} = @" for i, row in enumerate(PATTERNS)]
    results = ", ".join(f"p{i}=@p{i}" for i in range(len(PATTERNS)))
    return graph_of("\n".join(["input 6 9 9\n@x = @", *scopes, f"out {results}"]))


def drawn(graph, *, positive):
    """Fresh float32 weights, with statistics as the measurements of existing optimizers draw them."""
    weights, draws = netspec.init_weights(graph), np.random.default_rng(1)
    for node in maps_of(graph):
        count = node.shape.axis("c")
        flipped = draws.random(count) < 0.3
        flipped[0] = True
        gamma = draws.uniform(0.3, 1.5, count)
        found = {
            "weight": gamma if positive else np.where(flipped, -gamma, gamma),
            "bias": draws.normal(0, 0.5, count),
            "running_mean": draws.normal(0, 0.5, count),
            "running_var": draws.uniform(0.2, 2, count),
        }
        weights |= {f"{node.name}.{k}": array.astype(np.float32) for k, array in found.items()}
    return weights


@pytest.mark.parametrize("positive", [False, True], ids=["both signs", "positive"])
def test_the_page_tells_what_is_left_of_each_pattern(all_patterns, positive):
    graph, weights = all_patterns, drawn(all_patterns, positive=positive)
    assert len(PATTERNS) == 37
    feeds = draw_inputs(graph, {}, batch=16)
    wanted = predict(graph, doubles(weights), feeds)
    model = netspec.optimize(graph, weights)
    left = [node.name.split(".")[0] for node in maps_of(model.graph)]
    for number, (_, maps, some, some_if_positive) in enumerate(PATTERNS):
        expected = some_if_positive if positive else some
        assert left.count(f"p{number}") == expected, PATTERNS[number]
        assert sum(n.name.startswith(f"p{number}.") for n in maps_of(graph)) == maps
    assert len(PATTERNS) - len(set(left)) == (29 if positive else 26)

    exact = netspec.optimize(graph, doubles(weights))
    assert exact.graph == model.graph
    close(predict(exact.graph, exact.weights, feeds), wanted)
    again = netspec.optimize(model.graph, model.weights)
    assert again.graph == model.graph
    assert not any(note.changed for note in again.notes)

    single = {name: array.astype(np.float32) for name, array in feeds.items()}
    before, after = (
        load_backend("reference").open_session(g, w, "float32").predict(single)
        for g, w in ((graph, weights), (model.graph, model.weights))
    )
    truth = predict(graph, doubles(weights), doubles(single))
    for name in truth:
        errors = [np.sqrt(np.square(found[name] - truth[name]).mean()) for found in (before, after)]
        assert errors[1] <= 2 * errors[0], PATTERNS[int(name[1:])]

    fused, folded = (
        onnxruntime.InferenceSession(
            netspec.compile(g, target="onnx", weights=w).content,
            providers=["CPUExecutionProvider"],
        ).run(None, single)
        for g, w in ((graph, weights), (model.graph, model.weights))
    )
    names = [output.name for output in graph.outputs]
    close(dict(zip(names, folded, strict=True)), dict(zip(names, fused, strict=True)), 1e-5)


GONE = {
    "sequences": "input 7 4 -> relu -> bn -> conv 5 3",
    "a dense layer at each step": "input 7 4 -> relu -> bn -> dense 5",
    "of an unknown length": "input ?T 4 -> relu -> bn -> dropout -> dense 5",
    "unknown, over time": "input ?T 4 -> conv 4 3 padding=1 -> gap -> bn -> relu",
    "volumes through a pool": "input 2 4 4 4 -> relu -> bn -> avgpool 2 -> conv 3 2",
    "an embedding": "input 5 dtype=int -> embed 11 6 -> bn -> relu",
    "a learned tensor in a sum": "input 5 4 -> dense 4 -> add { @ | param 5 4 } -> bn -> relu",
    "a norm with a scale of its own": "input 4 5 5 -> gn 2 affine=false -> bn -> relu",
    "a bilinear form": "input 6\n@a = @\nrelu -> bilinear 4 { @ | @a } -> bn -> relu",
    "branches of a sum": "input 4 6 6 -> add { conv 4 3 | conv 4 3 } -> bn -> relu",
    "a difference": "input 6 -> sub { dense 4 | dense 4 | dense 4 } -> bn -> relu",
    "halves, each with its own": (
        "input 4 6 6 -> conv 8 3\n@a, @b = split 2\nconcat { @a -> bn | @b -> bn } -> relu"
    ),
    "shuffled channels": "input 4 6 6 -> conv 6 3 -> shuffle 3 -> bn -> relu",
    "tokens of an image": "input 3 4 4 -> conv 6 2 stride=2 -> tokens -> bn -> relu",
    "channels that become positions": "input 4 5 5 -> relu -> bn -> pixel_unshuffle 5 -> flatten -> dense 3",
    "a head's part": 'input 4 6 -> dense 6 -> bn -> rearrange "t (n d) -> n t d" n=2 -> relu',
    "another border": "input 4 6 6 -> relu -> bn -> conv 3 3 padding=1 mode=reflect",
    "a border that is not counted": "input 4 6 6 -> relu -> bn -> avgpool 3 stride=1 padding=same -> conv 3 1",
    "a flip and a resize": "input 4 6 6 -> relu -> bn -> flip w -> upsample 2 bilinear -> conv 3 3",
    "constants of the input": "input 3 6 6 -> rescale 1/255 -> normalize [0.4, 0.5, 0.6] 0.2 -> conv 4 3",
    "channels that are dropped": "input 4 6 6 -> relu -> concat { @ | bn } -> slice c 0 4 -> relu",
    "arithmetic": "input 6 -> times 2 -> plus 1 -> neg -> dense 4",
    "layer scale": "input 4 6 6 -> residual { conv 4 3 padding=1 -> scale 0.1 } -> relu",
    "a norm whose readers are norms": "input 4 6 6 -> relu -> bn -> concat { bn -> conv 2 1 | conv 2 1 }",
    "a shared scope": "share e = { conv 4 3 padding=1 -> bn -> relu }\ninput 4 6 6 -> e -> e",
    "a shared norm before layers": (
        "share n = bn\ninput 4 6 6 -> relu -> n -> conv 4 1 -> relu -> n -> conv 4 1"
    ),
    "a shared norm twice in a row": "share n = bn\ninput 4 6 6 -> conv 4 3 -> n -> dropout -> n -> relu",
    "a shared layer of two norms": "share c = conv 4 1\ninput 4 6 6 -> c -> bn -> relu -> c -> bn -> relu",
    "a shared layer behind a norm": "share c = dense 4\ninput 4 -> relu -> bn -> c -> relu -> c",
}
"""Texts of which no map is left."""


@pytest.mark.parametrize("text", GONE.values(), ids=GONE)
def test_nothing_is_left_of(text):
    graph = graph_of(text)
    weights = doubles(random_weights(graph))
    model = netspec.optimize(graph, weights, STEPS)
    assert not maps_of(model.graph)
    assert netspec.optimize(graph, passes=STEPS).graph == model.graph
    assert work(model.graph) <= work(graph)
    feeds = draw_inputs(graph, dict.fromkeys(unknowns(graph), 8), batch=3)
    close(predict(model.graph, model.weights, feeds), predict(graph, weights, feeds))


LEFT = {
    "a maximum, signs unknown": (
        "input 8 9 9 -> conv 64 3 -> pool 2 -> bn",
        "`pool1` lets increasing maps pass, and some scales are not positive",
    ),
    "a nonlinearity": ("input 4 -> relu -> bn -> relu", "`relu1` is not linear"),
    "a product": ("input 4 -> mul { relu | @ } -> bn", "`mul1` combines tensors in another way"),
    "a result": ("input 4 -> relu -> bn", "`bn1` is a result of the network"),
    "another reader": ("input 4 -> dense 4 -> add { bn -> relu | @ }", "`add1` reads `dense1` too"),
    "a sum of unlike branches": (
        "input 4 -> add { bn | relu } -> dense 3",
        "`add1` adds a branch that is scaled in another way",
    ),
    "a value wanted in two ways": (
        "input 4 -> dense 4 -> sub { @ | @ } -> bn -> relu",
        "`dense1` would have to be scaled in several ways",
    ),
    "a maximum of unlike branches": (
        "input 4 -> max { bn | @ } -> dense 3",
        "`max1` compares with a branch that is scaled in another way",
    ),
    "a scale for each position": (
        "input 4 6 6 -> conv 4 3 -> flatten -> bn -> relu",
        "`conv1` has one scale for each channel, and the map has one for each position",
    ),
    "a sum over unlike features": (
        "input 5 4 -> relu -> bn -> reduce_mean c -> relu",
        "`reduce_mean1` mixes elements that the map treats differently",
    ),
    "a sum of shifts": (
        "input 5 4 -> relu -> shift -> reduce_sum t -> dense 3",
        "`reduce_sum1` adds the shift several times",
    ),
    "a border of a constant": (
        "input 4 5 5 -> relu -> bn -> pad 1 value=2 -> conv 3 3",
        "`pad1` pads with a constant",
    ),
    "counted zeros": (
        "input 4 6 6 -> relu -> shift -> avgpool 3 padding=1 -> conv 3 1",
        "`avgpool1` counts its padding as zeros",
    ),
    "a transposed convolution": (
        "input 4 6 6 -> relu -> shift -> conv_transpose 3 3 stride=2",
        "`conv_transpose1` sums fewer taps at some positions than at others",
    ),
    "the other branch of a form": (
        "input 4\n@a = @\nrelu -> shift -> bilinear 3 { @ | @a }",
        "`bilinear1` would multiply the shift by its other branch",
    ),
    "no shift to give": ("input 5 4 -> rms -> bn -> relu", "`rms1` learns no shift"),
    "dropout that stays on": (
        "input 4 -> relu -> shift -> dropout always=true -> dense 3",
        "`dropout1` drops elements at inference too",
    ),
    "alpha dropout that stays on": (
        "input 4 -> relu -> scale -> alpha_dropout always=true -> dense 3",
        "`alpha_dropout1` drops elements at inference too",
    ),
    "a kernel that is standardised": (
        "input 4 6 6 -> wsconv 4 3 -> bn -> relu",
        "`wsconv1` is not linear",
    ),
    "counted zeros that are dropped": (
        "input 4 6 6 -> relu -> concat { @ | bn -> avgpool 3 stride=1 padding=1 } -> slice c 0 4 -> relu",
        "`avgpool1` counts its padding as zeros",
    ),
    "a tied weight": (
        "input 4\nshare d = dense 4\nd -> bn -> relu -> tied d",
        "`d` shares its weights with `tied1`",
    ),
    "a layer within a shared scope": (
        "share e = { dense 4 -> relu }\ninput 4 -> bn -> e -> e",
        "`e.dense1` shares its weights with `e2.dense1`",
    ),
    "a shared norm that would stay and pass": (
        "share n = bn\ninput 4 6 6 -> relu -> n -> dropout -> n -> conv 3 3 padding=1",
        "`conv1` pads with zeros",
    ),
    "unknown sizes": (
        "input ?T 4 -> concat axis=t { relu -> bn | @ } -> dense 3",
        "`concat1` has sizes that are known only at run time",
    ),
    "no channels": (
        "input 5 4 -> take 0 axis=c -> relu -> times 2 -> relu",
        "`relu1` is not linear",
    ),
}


@pytest.mark.parametrize(("text", "reason"), LEFT.values(), ids=LEFT)
def test_a_map_stays(text, reason):
    graph = graph_of(text)
    model = Model(graph, doubles(random_weights(graph)))
    left = run_passes(model, [affine_backward, affine_forward])
    assert left.graph is graph
    assert f"stays: {reason}" in [note.text for note in left.notes]
    assert not any(note.changed for note in left.notes)


def test_the_scale_goes_alone_where_zeros_are_padded():
    graph = graph_of("input 4 6 6 -> relu -> bn -> conv 3 3 padding=1")
    weights = doubles(random_weights(graph))
    weights["bn1.weight"][2] = 0
    (note,) = affine_forward(Model(graph, weights)).notes
    assert note.text == "stays: `conv1` pads with zeros, and a scale that could go alone is 0"
    weights["bn1.weight"][2] = -0.5
    model = affine_forward(Model(graph, weights))
    assert [node.op.kind for node in model.graph.nodes] == ["input", "relu", "shift", "conv"]
    assert model.weights["bn1"].shape == (4, 1, 1)
    weights |= {f"bn1.{name}": np.zeros(4) for name in ("bias", "running_mean")}
    model = affine_forward(Model(graph, weights))
    assert [node.op.kind for node in model.graph.nodes] == ["input", "relu", "conv"]


def test_without_weights_no_map_is_special():
    graph = graph_of("input 4 -> add { @ | bn affine=false } -> dense 3")
    (note,) = affine_forward(Model(graph)).notes
    assert note.text == "stays: `add1` adds a branch that is scaled in another way"


def test_maxima_pass_increasing_maps_where_signs_are_known():
    graph = graph_of("input 4 6 6 -> relu -> bn -> pool 2 -> conv 3 3")
    weights = doubles(random_weights(graph))
    weights["bn1.weight"] = np.array([0.5, 1, 2, 0])
    assert maps_of(affine_forward(Model(graph, weights)).graph)
    weights["bn1.weight"][3] = 0.1
    assert not maps_of(affine_forward(Model(graph, weights)).graph)
    (note,) = affine_forward(Model(graph)).notes
    assert note.text.endswith("and without weights the signs are not known")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("bn1.running_var", -1e-9, "`bn1` has a negative variance"),
        ("bn1.running_var", np.inf, "`bn1` has a variance that is not finite"),
        ("bn1.running_mean", np.nan, "`bn1` has a scale or a shift that is not finite"),
        ("dense1.weight", np.inf, "`dense1` would get weights that are not finite"),
        ("dense1.weight", 3e38, "`dense1` would get weights that are not finite"),
    ],
)
def test_impossible_numbers_stay(name, value, reason):
    graph = graph_of("input 4 -> dense 4 -> bn -> relu")
    weights = random_weights(graph)
    weights["bn1.weight"][:] = 10
    weights[name].flat[1] = value
    left = affine_backward(Model(graph, weights))
    assert left.graph is graph
    assert left.notes[0].text == f"stays: {reason}"


def test_a_map_that_changes_nothing_goes_and_an_affine_becomes_what_it_needs():
    graph = graph_of("input 4 -> relu -> scale -> relu -> a: affine -> relu -> b: affine -> relu")
    weights = netspec.init_weights(graph)
    weights["a.weight"][1] = 2
    weights["b.bias"][1] = 2
    model = netspec.optimize(graph, weights, STEPS)
    assert [node.op.kind for node in model.graph.nodes][1:] == [
        *("relu", "relu", "scale", "relu", "shift", "relu")
    ]
    assert model.weights["a"].tolist() == [1, 2, 1, 1]
    notes = {note.node: note.text for note in model.notes if note.changed}
    assert notes == {
        "scale1": "gone: changes nothing",
        "a": "becomes a `scale`",
        "b": "becomes a `shift`",
    }


def test_names_and_scopes_still_say_where_things_came_from():
    graph = graph_of(
        "block tail(c) { relu -> bn -> conv c 3 padding=1 }\ninput 3 8 8\nstem: tail 4 -> dropout\nhead: tail 5"
    )
    model = netspec.optimize(graph, random_weights(graph), STEPS)
    assert [(node.name, node.op.kind) for node in model.graph.nodes[1:4]] == [
        ("stem.relu1", "relu"),
        ("stem.bn1", "shift"),
        ("stem.conv1", "conv"),
    ]
    assert [scope.path for scope in model.graph.scopes] == ["stem", "head"]
    assert {"stem.bn1", "stem.conv1.bias"} <= model.weights.keys()


@st.composite
def networks(draw):
    """Small networks rich in maps, pools, dropout and branches, with results in the middle."""
    builder = GraphBuilder("random")

    def add(kind, sources, **fields):
        op = find(kind).model_validate(fields)
        return builder.add(op, sources)

    values = [add("input", [], sizes=(4, 5, 5))]
    same = {"kernel": 3, "stride": 1, "padding": 1}
    choices = (
        ("bn", {}),
        ("bn", {"affine": False}),
        ("affine", {}),
        ("scale", {}),
        ("relu", {}),
        ("dropout", {}),
        ("pool", same),
        ("avgpool", {**same, "count_padding": False}),
        ("avgpool", same),
        ("conv", {"filters": 4, **same, "groups": 2}),
        ("conv", {"filters": 4, "kernel": 1, "bias": False}),
        ("conv_transpose", {"filters": 4, **same}),
        ("shuffle", {"groups": 2}),
        ("add", {}),
        ("sub", {}),
        ("max", {}),
        ("concat", {}),
    )
    for _ in range(draw(st.integers(3, 14))):
        kind, fields = draw(st.sampled_from(choices))
        near = st.integers(max(0, len(values) - 3), len(values) - 1)
        sources = [
            values[draw(near)] for _ in range(2 if kind in ("add", "sub", "max", "concat") else 1)
        ]
        value = add(kind, sources, **fields)
        if kind == "concat":
            start = draw(st.integers(0, 4))
            value = add("slice", [value], axis="c", start=start, stop=start + 4)
        values.append(value)
    if draw(st.booleans()):
        values.append(add("dense", [add("flatten", values[-1:])], units=3))
    middle = draw(st.lists(st.sampled_from(values[1:-1]), max_size=2, unique=True))
    return builder.finish([(f"y{i}", value) for i, value in enumerate([*middle, values[-1]])])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.integers(0, 1000))
def test_random_networks_keep_their_function(graph, seed):
    weights = doubles(random_weights(graph, seed))
    model = netspec.optimize(graph, weights, (*STEPS, "merge-linear"))
    feeds = draw_inputs(graph, {}, batch=2)
    close(predict(model.graph, model.weights, feeds), predict(graph, weights, feeds), 1e-10)
    assert len(maps_of(model.graph)) <= len(maps_of(graph))
    again = netspec.optimize(model.graph, model.weights, (*STEPS, "merge-linear"))
    assert again.graph == model.graph
    structure = netspec.optimize(graph, passes=(*STEPS, "merge-linear")).graph
    assert len(maps_of(structure)) >= len(maps_of(model.graph))
