"""Passes that take away what computes nothing new, and the declarations that they ask."""

from __future__ import annotations

import numpy as np
import pytest
from fuzz.networks import random_program
from graphs import OPS_BY_EXAMPLE, draw_inputs, example_graph, graph_of

import netspec
from netspec.backend import load_backend
from netspec.ir import Output
from netspec.sizes import unknowns
from netspec.weights import random_weights

CLEAN_UP = ("drop-unused", "drop-identity", "common-subexpressions")


def predict(graph, weights, feeds):
    session = load_backend("reference").open_session(graph, weights, "float64")
    with np.errstate(all="ignore"):
        return session.predict(feeds)


def cleaned(text, weights=None, passes=CLEAN_UP):
    """The network after the passes, which give what it gave, and nothing else when they run again."""
    graph = graph_of(text) if isinstance(text, str) else text
    weights = random_weights(graph) if weights is None else weights
    model = netspec.optimize(graph, weights, passes)
    again = netspec.optimize(*model[:2], passes)
    assert again.graph == model.graph
    assert not any(note.changed for note in again.notes)
    assert netspec.optimize(graph, None, passes).graph == model.graph
    feeds = draw_inputs(graph, dict.fromkeys(unknowns(graph), 8), batch=2)
    wanted = predict(graph, weights, feeds)
    for name, array in predict(*model[:2], feeds).items():
        np.testing.assert_array_equal(array, wanted[name])
    return model


def kinds(model):
    return [node.op.kind for node in model.graph.nodes]


# ---- is_identity ----

IDENTITIES = """
input 3 4 4; pad 0 | input 5 2; crop 0 | input 3 4 4; pool 1 | input 3 4 4; avgpool 1 padding=same
input 3 1 1; gap keep=true | input 3 1 1; gmp keep=true | input 3 4 4; permute "c h w"
input 5; flatten | input 3 4; reshape 3 4 | input 3 4 4; rearrange "c (h p) w -> c (h p) w" p=2
input 4 3 3; shuffle 1 | input 4 3 3; shuffle 4 | input 4 3 3; pixel_shuffle 1 | input 3 4; slice t 0 3
input 1 4; flip t | input 3 4; roll t=0 | input 1 4; roll t=3 | input 3 4 4; upsample 1
input 3 4 4; upsample 1 mode=cubic | input 3 4 5; resize 4x5 mode=linear corners=align
input 3 4 5; resize 4x5 mode=linear | input 3 1 1; reduce_mean h w keep=true
input 3 1 1; reduce_logsumexp h w keep=true | input 3 1 1; reduce_prod h keep=true
input 3 4 5; adaptive_avgpool 4x5 | input 3 4 5; adaptive_pool 4x5 | input 6; leaky_relu 1
input 6; softshrink 0 | input 6; hardshrink 0 | input 6; times 1 | input 6; plus 0 | input 6; pow 1
input 6; rescale 1 | input 6; normalize 0 1 | input 6; dropout | input 6; alpha_dropout
input 3 4 4; spatial_dropout | input 3 4 4; drop_path 0.5 | input 6; dropout 0 always=true
"""
LOOK_ALIKES = """
input 3 4 4; pool 1 stride=2 | input 3 4 4; l2pool 1 | input 3 1 1; gap | input 3 3 3; permute "c w h"
input 3 3; reshape c=3 t=3 | input 4 4 4; rearrange "c h w -> h c w" | input 4 3 3; shuffle 2
input 3 4; slice t 0 2 | input 2 4; flip t | input 3 4; roll t=1 | input 3 4 4; upsample 1.25
input 3 4 5; resize 5x4 | input 3 1 1; reduce_var h keep=true | input 3 4 4; adaptive_avgpool 2
input 6; times (-1) | input 6; pow 2 | input 6; rescale 1 1 | input 6; normalize 0 2
input 6; dropout always=true | input 6; relu
"""


def each(lines):
    return [text.strip() for line in lines.strip().splitlines() for text in line.split(" | ")]


@pytest.mark.parametrize("text", each(IDENTITIES))
def test_what_is_the_identity_says_so_and_goes(text):
    assert kinds(cleaned(text)) == ["input"]


@pytest.mark.parametrize("text", each(LOOK_ALIKES))
def test_what_only_looks_like_it_stays(text):
    graph = graph_of(text)
    assert netspec.optimize(graph, None, CLEAN_UP).graph == graph


def test_every_op_says_of_its_examples_whether_it_is_the_identity():
    """An op gives what it is given if and only if it says so, whatever the numbers and, if it has any, the weights."""
    told = 0
    for op, example in OPS_BY_EXAMPLE:
        graph = example_graph(op, example)
        found = [
            node
            for node in graph.nodes
            if graph.input_shapes(node) == (node.shape,) and not node.op.is_random
        ]
        if not found:
            continue
        names = dict.fromkeys(name for node in found for name in (node.name, *node.inputs))
        outputs = tuple(Output(name=f"o{i}", node=name) for i, name in enumerate(names))
        probed = graph.model_copy(update={"outputs": outputs})
        feeds = draw_inputs(graph, {}, batch=2)
        values = dict(
            zip(names, predict(probed, random_weights(graph), feeds).values(), strict=True)
        )
        for node in found:
            same = np.array_equal(values[node.name], values[node.inputs[0]])
            assert same == node.op.is_identity(node.shape), (example.line, node.name)
            told += same
    assert told > 10


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_give_the_same_to_the_last_bit(seed):
    graph = graph_of(random_program(seed, steps=9))
    if not any(node.op.is_random for node in graph.nodes):
        cleaned(graph)


# ---- drop-identity ----


def test_a_result_may_be_what_its_identity_read():
    model = cleaned("@x = input 6\n@x -> dropout\nout y=@, x=@x")
    assert [(output.name, output.node) for output in model.graph.outputs] == [
        ("y", "x"),
        ("x", "x"),
    ]


def test_a_shared_instance_loses_what_is_the_identity_in_each_use():
    both = cleaned("input 6\nshare f = { dropout -> dense 6 -> dropout }\nf -> f")
    assert [node.name for node in both.graph.nodes] == ["input", "f.dense1", "f2.dense1"]
    text = """
    @a = input 4 1 1; @b = input 4 3 3
    share f = { conv 4 1 -> reduce_max h w keep=true }
    add { @a -> f | @b -> f }
    """
    one = cleaned(text)
    assert kinds(one).count("reduce_max") == 2
    assert ("f.reduce_max1", "stays: changes something in another use") in {
        (note.node, note.text) for note in one.notes
    }


# ---- common-subexpressions ----


def test_equal_ops_of_equal_inputs_are_one():
    model = cleaned(
        "input 3 4 4\nconcat { relu -> gap | relu -> gap | tanh | relu -> gmp }".replace(
            "| tanh ", ""
        )
    )
    assert sorted(kinds(model)) == ["concat", "gap", "gmp", "input", "relu"]
    assert {note.node: note.text for note in model.notes} == {
        "relu2": "gone: equals `relu1`",
        "gap2": "gone: equals `gap1`",
        "relu3": "gone: equals `relu1`",
    }


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("add { leaky_relu 0.1 | leaky_relu 0.2 }", 2),
        ("add { dense 4 | dense 4 }", 2),
        ("add { dropout always=true | dropout always=true }", 2),
        ("mul { add { relu | tanh } | add { tanh | relu } }", 3),
        ("mul { sub { relu | tanh } | sub { tanh | relu } }", 4),
        ("add { const [1, 2, 3, 4] | relu -> const [1, 2, 3, 4] }", 1),
        ("add { param 4 init=ones() | param 4 init=ones() }", 2),
    ],
)
def test_what_counts_as_equal(text, left):
    model = netspec.optimize(graph_of(f"input 4\n{text}"), None, CLEAN_UP)
    assert len(model.graph.nodes) - 2 == left


def test_two_uses_of_an_instance_on_one_tensor_are_one():
    text = "input 6\nshare f = { dense 6 -> relu }\nadd { f -> tanh | f -> tanh } -> f"
    assert kinds(cleaned(text)) == ["input", "dense", "relu", "tanh", "add", "dense", "relu"]


def test_within_an_instance_equal_ops_are_one_where_they_are_in_each_use():
    both = cleaned("input 6\nshare f = { add { relu | relu } -> dense 6 }\nf -> f")
    assert kinds(both).count("relu") == 2
    outside = cleaned("input 6\nshare f = { relu -> dense 6 }\nadd { relu | f -> f }")
    assert kinds(outside).count("relu") == 3
    assert [note.text for note in outside.notes] == ["stays: differs in another use"]


# ---- drop-unused ----


def with_results(text, *names):
    graph = graph_of(text)
    outputs = tuple(Output(name=f"r{i}", node=name) for i, name in enumerate(names))
    return graph.model_copy(update={"outputs": outputs})


def test_what_leads_to_no_result_goes_with_its_weights():
    model = cleaned(
        with_results("@x = input 4\n@y = input 4\nadd { @x -> dense 4 | @y -> dense 4 }", "dense1")
    )
    assert [node.name for node in model.graph.nodes] == ["x", "y", "dense1"]
    assert model.weights.keys() == {"dense1.weight", "dense1.bias"}


def test_a_use_that_leads_to_no_result_goes_and_the_first_one_lends_its_weights():
    text = """
    @x = input 4
    share f = { dense 4 -> relu }
    @a = @x -> f
    @b = @a -> tanh -> f
    add { @a | @b } -> tanh -> f
    """
    first = cleaned(with_results(text, "f.relu1"))
    assert [node.name for node in first.graph.nodes] == ["x", "f.dense1", "f.relu1"]
    inner = cleaned(with_results(text, "f2.dense1"))
    assert "f3.dense1" not in inner.graph.by_name
    assert {"f.relu1", "f2.dense1"} <= inner.graph.by_name.keys()
