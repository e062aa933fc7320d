"""Affine maps go where they cost nothing: what moves, what stays and why."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import draw_inputs, graph_of
from optimized import close, doubles, kinds, maps_of, predict, work

import netspec
from netspec.passes import Model, run_passes
from netspec.passes.affine.propagate import affine_backward, affine_forward, scale_forward
from netspec.sizes import unknowns
from netspec.weights import random_weights

STEPS = ("drop-identity", "affine-backward", "affine-forward")


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
    left = run_passes(model, [affine_backward, affine_forward, scale_forward])
    assert left.graph is graph
    assert f"stays: {reason}" in [note.text for note in left.notes]
    assert not any(note.changed for note in left.notes)


def test_the_scale_goes_alone_where_zeros_are_padded():
    graph = graph_of("input 4 6 6 -> relu -> bn -> conv 3 3 padding=1")
    weights = doubles(random_weights(graph))
    (note,) = affine_forward(Model(graph, weights)).notes
    assert note.text == "stays: `conv1` pads with zeros"
    weights["bn1.weight"][2] = 0
    (note,) = scale_forward(Model(graph, weights)).notes
    assert note.text == "stays: `conv1` pads with zeros, and a scale that could go alone is 0"
    weights["bn1.weight"][2] = -0.5
    model = scale_forward(Model(graph, weights))
    assert kinds(model) == ["input", "relu", "shift", "conv"]
    assert model.weights["bn1"].shape == (4, 1, 1)
    weights |= {f"bn1.{name}": np.zeros(4) for name in ("bias", "running_mean")}
    for step in (affine_forward, scale_forward):
        assert kinds(step(Model(graph, weights))) == ["input", "relu", "conv"]


def test_the_scale_of_two_ops_goes_alone_at_once():
    graph = graph_of("input 3 6 6 -> normalize [0.4, 0.5, 0.6] 0.2 -> conv 3 3 padding=1")
    model = affine_forward(Model(graph, doubles(random_weights(graph))))
    assert kinds(model) == ["input", "shift", "conv"]


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
    model = netspec.optimize(graph, random_weights(graph), (*STEPS, "scale-forward"))
    assert [(node.name, node.op.kind) for node in model.graph.nodes[1:4]] == [
        ("stem.relu1", "relu"),
        ("stem.bn1", "shift"),
        ("stem.conv1", "conv"),
    ]
    assert [scope.path for scope in model.graph.scopes] == ["stem", "head"]
    assert {"stem.bn1", "stem.conv1.bias"} <= model.weights.keys()
