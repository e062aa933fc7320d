"""The passes that pay in INT8 alone: bounds of channels, maps into padded convolutions, norms as depthwise ones."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.backend import load_backend
from netspec.passes import Model, run_passes
from netspec.passes.channel_clamp import channel_clamp
from netspec.passes.constant_map import constant_map
from netspec.passes.norm_as_conv import norm_as_conv
from netspec.quantization.convert import for_int8
from netspec.weights import random_weights


def drawn(text, seed=0):
    """A network with weights as a trained one has them, some scales negative, in float64."""
    graph = graph_of(text)
    draws = np.random.default_rng(seed)
    weights = {}
    for name, array in random_weights(graph, seed).items():
        flip = graph.by_name.get(name.rpartition(".")[0])
        signs = 1 if flip is None or flip.op.kind != "bn" else draws.choice([-1, 1], array.shape)
        weights[name] = array.astype(np.float64) * (signs if name.endswith(".weight") else 1)
    return Model(graph, weights)


def outputs(model):
    draws = np.random.default_rng(1)
    feeds = {n.name: draws.normal(size=(2, *n.shape.sizes)) for n in model.graph.inputs}
    session = load_backend("reference").open_session(model.graph, model.weights, "float64")
    return session.predict(feeds)


def rewritten(model, step):
    """The model after a pass, which computes the same, and which the pass leaves alone from then on."""
    found = run_passes(model, [step])
    assert found.weights.keys() == {name for name, _ in found.graph.weights()}
    for name, wanted in outputs(model).items():
        error = np.abs(outputs(found)[name] - wanted).max()
        assert error <= 1e-12 * np.abs(wanted).max()
    assert run_passes(found, [step]).graph == found.graph
    return found


def kinds(model):
    return " ".join(node.op.kind for node in model.graph.nodes)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("input 3 8 9 -> relu -> bn -> conv 5 3 padding=1 -> relu", "input relu conv param add relu"),
        ("input 3 8 9 -> bn -> conv 6 3 padding=(0, 1, 2, 0) stride=2 dilation=2 groups=3", "input conv param add"),
        ("input 3 8 9 -> bn affine=false -> conv 6 4 padding=same stride=3", "input conv param add"),
        ("input 3 8 9 -> bn -> conv 6 3 bias=false", "input conv"),
        ("input 9 4 -> bn -> conv 6 3 padding=causal", "input conv param add"),
        ("input 2 4 5 6 -> affine -> conv 6 3 padding=1", "input conv param add"),
        ("input 3 8 8 -> scale -> shift -> conv 4 3 padding=1", "input conv param add"),
        ("input 3 8 8 -> bn -> avgpool 2 -> dropout 0.5 -> conv 4 3 padding=1", "input avgpool dropout conv param add"),
        (
            "input 3 8 8\n@x = relu -> bn\nadd { @x -> conv 4 3 padding=1 | @x -> conv 4 5 padding=half }",
            "input relu conv param add conv param add add",
        ),
        ("input 3 8 8 -> bn -> conv 4 3 padding=1 bias=false -> bn -> conv 4 1", "input conv param add conv"),
    ],
)  # fmt: skip
def test_maps_go_into_padded_convolutions(text, left):
    assert kinds(rewritten(drawn(text), constant_map)) == left


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("input 3 8 8 -> bn -> relu", "`relu1` is not linear"),
        ("input 3 8 8 -> bn -> gap -> dense 3", "`dense1` is not linear"),
        ("input 3 8 8\n@x = bn\nout a=@x, b=(@x -> conv 4 3 padding=1)", "`bn1` is a result"),
        ("input 3 8 8 -> bn -> conv 4 3 padding=1 mode=reflect", "`conv1` pads with values of the input"),
        ("input 3 8 8 -> bn -> avgpool 3 1 padding=1 -> conv 4 3 padding=1", "`avgpool1` counts its padding as zeros"),
        ("input 3 8 8 -> bn -> pool 2 -> conv 4 3 padding=1", "`pool1` lets increasing maps pass"),
        ("input 3 8 8\nadd { bn | relu } -> conv 4 3 padding=1", "`add1` reads something else, too"),
        ("share c = conv 3 3 padding=1\ninput 3 8 8 -> bn -> c -> c", "`c` is shared"),
        ("share b = bn\ninput 3 8 8 -> b -> conv 3 3 padding=1 -> b -> conv 3 3 padding=1", "is shared"),
    ],
)  # fmt: skip
def test_where_a_map_cannot_go_it_stays(text, reason):
    found = rewritten(drawn(text), constant_map)
    assert found.graph == graph_of(text)
    assert any(note.text.startswith(f"stays: {reason}") for note in found.notes), found.notes


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("conv 5 3 -> relu -> bn -> conv 4 3 padding=1 -> sigmoid", "conv param max param min conv sigmoid"),
        ("conv 5 3 -> relu -> shift -> softmax", "conv param max softmax"),
        ("conv 5 3 -> relu6 -> times (-2)", "conv param max param min"),
        ("conv 5 3 -> clamp high=1 -> scale", "conv param min"),
        ("conv 5 3 -> hardtanh -> plus 3", "conv param max param min"),
        ("conv 5 3 -> relu -> bn -> pool 3 2 padding=1 -> tanh", "conv pool param max param min tanh"),
        ("conv 5 3 -> relu -> bn -> concat { pool 2 1 | conv 2 2 }", "conv param max param min pool conv concat"),
        ("add { conv 3 1 | depthwise 3 padding=1 } -> relu -> bn", "conv conv add param max param min"),
        ("conv 4 3 -> relu -> bn -> relu -> bn -> conv 3 3", "conv param max param min param max param min conv"),
        ("gap -> dense 4 -> relu -> bn -> relu", "gap dense param max param min relu"),
    ],
)  # fmt: skip
def test_maps_behind_relus_become_bounds(text, left):
    model = drawn(f"input 3 8 9 -> {text}")
    assert kinds(rewritten(model, channel_clamp)) == f"input {left}"


def test_a_scale_of_zero_gives_a_constant():
    model = drawn("input 3 8 9 -> conv 4 3 -> relu -> bn")
    model.weights["bn1.weight"][1] = 0
    found = rewritten(model, channel_clamp)
    assert np.ptp(outputs(found)["output"][:, 1]) == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("input 3 8 8 -> conv 4 3 -> silu -> bn", "`silu1` is no relu"),
        ("input 3 8 8 -> relu -> bn", "`input` is where data enters"),
        (
            "input 3 8 8 -> conv 4 3 -> relu -> concat { bn | @ }",
            "something else reads `relu1`, too",
        ),
        (
            "input 3 8 8\n@x = conv 4 3\nconcat { @x -> relu -> bn | @x }",
            "`concat1` reads `conv1` too",
        ),
        (
            "input 3 8 8\n@x = conv 4 3 -> relu\nout a=@x, b=(@x -> bn)",
            "something else reads `relu1`, too",
        ),
    ],
)
def test_where_bounds_are_of_no_use_maps_stay(text, reason):
    found = rewritten(drawn(text), channel_clamp)
    assert any(note.text == f"stays: {reason}" for note in found.notes), found.notes


def test_maps_that_are_shared_stay():
    text = "share b = bn\ninput 3 8 8 -> conv 3 1 -> relu -> b -> conv 3 1 -> relu -> b"
    found = rewritten(drawn(text), channel_clamp)
    assert {note.text for note in found.notes} == {"stays: is shared"}


def test_without_numbers_or_sizes_maps_stay():
    graph = graph_of("input 3 8 8 -> bn -> conv 4 3 padding=1")
    for step in (channel_clamp, constant_map, norm_as_conv):
        (note,) = step(Model(graph)).notes
        assert note.text == "stays: its numbers are not known"
    model = drawn("input 3 8 8 -> bn -> conv 4 3 padding=1")
    broken = {**model.weights, "bn1.running_var": np.array([1, -1, 1])}
    (note,) = constant_map(Model(graph, broken)).notes
    assert note.text == "stays: has a negative variance"
    open_ = graph_of("input 3 ?H 8 -> bn -> conv 4 3 padding=1")
    (note,) = constant_map(Model(open_, model.weights)).notes
    assert note.text == "stays: `conv1` has sizes that are known only at run time"
    open_ = drawn("input 3 ?H 8 -> conv 3 3 -> relu -> bn")
    (note,) = channel_clamp(open_).notes
    assert note.text == "stays: has sizes that are known only at run time"


def test_batch_norms_of_images_become_depthwise_convolutions():
    text = "input 3 4 5 -> bn -> relu -> bn affine=false -> sigmoid -> gap -> bn"
    found = rewritten(drawn(text), norm_as_conv)
    assert kinds(found) == "input conv relu conv sigmoid gap bn"
    assert found.graph.by_name["bn1"].op.groups == 3
    assert [node.name for node in found.graph.nodes] == [n.name for n in graph_of(text).nodes]
    shared = rewritten(drawn("share b = bn\ninput 3 4 4 -> b -> relu -> b"), norm_as_conv)
    assert kinds(shared) == "input bn relu bn"


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_for_int8_no_batch_norm_of_an_image_is_left(data):
    """Whatever the order of convolutions, activations, norms and pools, signs and paddings."""
    steps = [
        "conv 3 3 padding=1",
        "conv 4 1",
        "conv 4 3 padding=1 stride=2 groups=1",
        "relu",
        "bn",
        "pool 3 1 padding=1",
        "avgpool 3 1 padding=1 count_padding=false",
    ]
    chosen = data.draw(st.lists(st.sampled_from(steps), min_size=2, max_size=9))
    model = drawn("\n".join(["input 3 12 12", *chosen, "relu"]), data.draw(st.integers(0, 99)))
    found = for_int8(*model[:2])
    assert not any(node.op.kind == "bn" for node in found.graph.nodes)
    wanted = outputs(model)["output"]
    assert np.abs(outputs(found)["output"] - wanted).max() <= 1e-10 * np.abs(wanted).max()
