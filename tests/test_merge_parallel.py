"""Equal layers side by side in a concat become one layer, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import OPS_BY_EXAMPLE, draw_inputs, example_graph, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st
from optimized import kinds, optimized, predict

import netspec
from netspec.weights import random_weights

PASSES = ("affine-backward", "merge-parallel")


@pytest.mark.parametrize(
    ("start", "parallel", "line"),
    [
        ("input 4 6 6", "concat { conv 2 1 | conv 3 1 bias=false | conv 4 1 }", "conv 9 1"),
        (
            "input 4 6 6",
            "concat { conv 2 3 padding=1 bias=false -> bn -> relu | conv 5 3 padding=1 -> relu }",
            "conv 7 3 padding=1 -> relu",
        ),
        ("input 4 6 6", "concat { conv 2 1 bias=false | conv 3 1 bias=false }", "conv 5 1 bias=false"),
        ("input 3 4", "concat { dense 2 -> gelu -> square | dense 3 -> gelu -> square }", "dense 5 -> gelu -> square"),
        ("input 4", "concat { dense 2 | concat { dense 3 | dense 4 } }", "dense 9"),
        ("input 3 4 5", "concat { conv_transpose 2 2 | conv_transpose 1 2 }", "conv_transpose 3 2"),
        ("input 3 ?H 5", "concat { conv 2 3 padding=1 | conv 2 3 padding=1 }", "conv 4 3 padding=1"),
        ("input 2 3 4 5", "concat { conv 2 2 | conv 2 2 }", "conv 4 2"),
    ],
)  # fmt: skip
def test_lanes_become_one_layer(start, parallel, line):
    model = optimized(f"{start}\n{parallel}", PASSES)
    expected = graph_of(f"{start}\n{line}")
    assert [node.op for node in model.graph.nodes] == [node.op for node in expected.nodes]
    assert [node.shape for node in model.graph.nodes] == [node.shape for node in expected.nodes]


def test_neighbours_become_one_and_the_rest_stays():
    text = "input 4 6 6; concat { @ | conv 2 1 | conv 3 1 | relu | conv 2 1 | conv 2 3 padding=1 }"
    model = optimized(text, PASSES)
    assert model.graph.nodes[-1].inputs == ("input", "conv1", "relu1", "conv3", "conv4")
    assert model.graph.by_name["conv1"].shape.axis("c") == 5


def test_concats_within_concats_are_one():
    nested = optimized("input 2 4 4; concat axis=h { relu | concat axis=h { tanh | @ } }", PASSES)
    assert kinds(nested) == ["input", "relu", "tanh", "concat"]
    other = "input 2 4 4; concat axis=h { concat { relu | tanh } | concat { @ | @ } }"
    assert kinds(optimized(other, PASSES)).count("concat") == 3
    read = "input 4; @a = concat { relu | tanh }; concat { @a | @ } -> concat { @ | @a }"
    assert kinds(optimized(read, PASSES)).count("concat") == 2


@pytest.mark.parametrize(
    ("text", "node", "reason"),
    [
        (
            "@a = conv 2 1; concat { @a | conv 2 1 } -> add { conv 2 1 | @a -> tanh }",
            "conv1",
            "something else reads it too",
        ),
        ("@a = conv 2 1; concat { @a | conv 2 1 }; out a=@a, b=@", "conv1", "it is a result"),
        (
            "concat { conv 4 1 groups=2 | conv 4 1 groups=2 }",
            "conv1",
            "its groups would mix with those of another",
        ),
        (
            "share f = conv 4 1; concat { f | conv 2 1 } -> tanh -> conv 4 1 -> f",
            "f",
            "another use of its weights does not merge so",
        ),
    ],
)
def test_what_stays_apart_has_a_reason(text, node, reason):
    graph = graph_of(f"input 4 5 5; {text}")
    model = optimized(graph, PASSES)
    assert model.graph == graph
    assert (node, f"stays: {reason}") in {(note.node, note.text) for note in model.notes}


@pytest.mark.parametrize(
    "text",
    [
        "concat { conv 2 1 | conv 2 3 padding=1 }",
        "concat { conv 2 1 -> relu | conv 2 1 -> tanh }",
        "concat { conv 2 1 -> relu | conv 2 1 }",
        "concat { conv 2 1 -> softmax | conv 2 1 -> softmax }",
        "concat { conv 2 1 | relu -> conv 2 1 }",
        "concat axis=h { conv 2 1 | conv 2 1 }",
        "concat { wsconv 2 1 | wsconv 2 1 }",
    ],
)
def test_what_is_not_equal_is_left_alone(text):
    graph = graph_of(f"input 4 5 5; {text}")
    assert netspec.optimize(graph, None, PASSES)[::2] == (graph, ())


def test_shared_blocks_merge_in_each_use():
    text = "input 6 4 4; share f = concat { conv 2 1 -> relu | conv 4 1 -> relu }; f -> f"
    model = optimized(text, PASSES)
    assert kinds(model) == ["input", "conv", "relu", "conv", "relu"]
    assert model.weights.keys() == {"f.conv1.weight", "f.conv1.bias"}


def test_elementwise_is_what_depends_on_the_element_alone():
    """Elements of such an op may change places, and each changes itself alone; of no other op they do."""
    found: dict[type, list[bool]] = {}
    for op, example in OPS_BY_EXAMPLE:
        graph = example_graph(op, example)
        if [node.name for node in graph.nodes[:-1]] != ["input"]:
            continue
        node, x = graph.nodes[-1], draw_inputs(graph, {}, batch=1)["input"]
        if (
            graph.input_shapes(node) != (node.shape,)
            or node.op.is_random
            or node.op.is_identity(node.shape)
            or node.shape.dtype != "float"
        ):
            continue
        order = np.random.default_rng(0).permutation(x.size)
        turned, changed = x.reshape(-1)[order].reshape(x.shape), x.copy()
        changed.reshape(-1)[0] += 1
        weights = random_weights(graph)
        y, of_turned, of_changed = (
            predict(graph, weights, {"input": each})["output"].reshape(-1)
            for each in (x, turned, changed)
        )
        alone = np.array_equal(y[order], of_turned) and np.array_equal(y[1:], of_changed[1:])
        found.setdefault(op, []).append(alone and not weights)
    declared = {op for op in found if op.elementwise}
    assert declared == {op for op, each in found.items() if all(each)}
    assert len(declared) > 30


@st.composite
def lanes(draw):
    """A concat of layers of one tensor, some of them alike."""
    dense = draw(st.booleans())

    def lane():
        channels = draw(st.integers(1, 4))
        if dense:
            layer = f"dense {channels}"
        else:
            k = draw(st.sampled_from([1, 1, 3]))
            groups = draw(st.sampled_from([1, 1, 1, 2]))
            layer = f"conv {2 * channels} {k} padding=half groups={groups}"
        bias = draw(st.sampled_from(["", " bias=false", " bias=false -> bn"]))
        behind = draw(st.sampled_from(["", "", " -> relu", " -> leaky_relu 0.1 -> relu6"]))
        return draw(st.sampled_from([f"{layer}{bias}{behind}"] * 4 + ["@", "relu"]))

    def group(depth):
        rows = [
            group(depth - 1) if depth and draw(st.integers(0, 4)) == 0 else lane()
            for _ in range(draw(st.integers(2, 4)))
        ]
        return f"concat {{ {' | '.join(rows)} }}"

    return f"input {'3 4' if dense else '4 5 5'}\n{group(1)} -> tanh"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(lanes())
def test_random_lanes_keep_their_numbers(text):
    optimized(text, PASSES)
