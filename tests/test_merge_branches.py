"""Linear branches that are added up become one layer, exactly, and only where no work is added."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import graph_of
from hypothesis import given, settings
from hypothesis import strategies as st
from optimized import kinds, optimized

import netspec
from netspec.weights import random_weights

PASSES = ("affine-backward", "merge-branches")

# Where branches start, their sum, and the layer that it becomes.
MERGED = {
    "RepVGG": (
        "input 4 8 8",
        "add { conv 4 3 padding=1 bias=false -> bn | conv 4 1 bias=false -> bn | bn }",
        "conv 4 3 padding=1",
    ),
    "RepVGG that halves the map": (
        "input 4 9 8",
        "add { conv 6 3 stride=2 padding=1 bias=false -> bn | conv 6 1 stride=2 bias=false -> bn }",
        "conv 6 3 stride=2 padding=1",
    ),
    "MobileOne": (
        "input 4 8 8",
        """
        repeat 3 { @all += conv 4 3 padding=1 groups=4 bias=false -> bn }
        add { @all | conv 4 1 groups=4 bias=false -> bn | bn }
        """,
        "conv 4 3 padding=1 groups=4",
    ),
    "ACNet": (
        "input 4 8 8",
        """
        add {
          conv 6 3 padding=1 bias=false -> bn
        | conv 6 1x3 padding=(0, 1) bias=false -> bn
        | conv 6 3x1 padding=(1, 0) bias=false -> bn
        }
        """,
        "conv 6 3 padding=1",
    ),
    "average pool": (
        "input 4 8 8",
        "add { conv 4 3 padding=1 | avgpool 3 stride=1 padding=1 | avgpool 1 }",
        "conv 4 3 padding=1",
    ),
    "even kernels, padded on one side": (
        "input 2 7 8",
        "add { conv 3 4 padding=(1, 1, 2, 2) | conv 3 2 padding=(0, 0, 1, 1) | conv 3 2 padding=(1, 1, 0, 0) }",
        "conv 3 4 padding=(1, 1, 2, 2)",
    ),
    "dilations whose taps coincide": (
        "input 2 9 9",
        "add { conv 3 5 padding=2 | conv 3 3 dilation=2 padding=2 | conv 3 2x1 dilation=2 padding=(2, 0, 0, 0) }",
        "conv 3 5 padding=2",
    ),
    "a dilated window and its centre": (
        "input 2 9 9",
        "add { conv 2 3 dilation=3 padding=3 | conv 2 1 | @ }",
        "conv 2 3 dilation=3 padding=3",
    ),
    "a dense kernel and grouped ones": (
        "input 4 5 5",
        "add { conv 4 3 padding=1 | conv 4 3 padding=1 groups=2 | conv 4 1 groups=4 }",
        "conv 4 3 padding=1",
    ),
    "groups and the tensor itself": (
        "input 6 5 5",
        "add { conv 6 3 padding=1 groups=3 | @ | @ | scale }",
        "conv 6 3 padding=1 groups=3",
    ),
    "reflected": (
        "input 2 6 6",
        "add { conv 2 3 padding=1 mode=reflect | conv 2 1 | @ | conv 2 5 padding=2 mode=reflect }",
        "conv 2 5 padding=2 mode=reflect",
    ),
    "sequences, with a dense layer": (
        "input 5 4",
        "add { conv 4 3 padding=causal | conv 4 2 padding=causal | dense 4 | affine | @ }",
        "conv 4 3 padding=causal",
    ),
    "volumes": (
        "input 2 4 5 6",
        "add { conv 2 3 padding=1 | conv 2 1x3x1 padding=(0, 1, 0) | bn }",
        "conv 2 3 padding=1",
    ),
    "dense layers": (
        "input 6",
        "add { dense 6 | dense 6 bias=false | bn | @ }",
        "dense 6",
    ),
    "dense layers of a sequence": (
        "input 3 6",
        "add { dense 5 | dense 5 }",
        "dense 5",
    ),
    "dense layers of a tensor": (
        'input 3 4 5 -> permute "h w c"',
        "add { dense 3 | @ | scale }",
        "dense 3",
    ),
    "transposed": (
        "input 3 5 6",
        """
        add {
          conv_transpose 2 4 stride=2 padding=1
        | conv_transpose 2 2 stride=2
        | conv_transpose 2 3 stride=2 padding=1 output_padding=1
        }
        """,
        "conv_transpose 2 4 stride=2 padding=1",
    ),
    "transposed at stride 1": (
        "input 3 5 6",
        "add { conv_transpose 3 3 padding=1 groups=3 | conv 3 1 groups=3 | bn | @ }",
        "conv_transpose 3 3 padding=1 groups=3",
    ),
    "nested sums, with factors": (
        "input 4",
        "sub { dense 4 | add { mean { dense 4 | dense 4 } | dense 4 } | sub { dense 4 | @ } }",
        "dense 4",
    ),
    "unknown sizes": (
        "input 3 ?H ?W",
        "add { conv 4 3 stride=2 padding=1 | conv 4 1 stride=2 | conv 4 3 stride=2 padding=1 }",
        "conv 4 3 stride=2 padding=1",
    ),
}


@pytest.mark.parametrize("name", MERGED)
def test_branches_become_one_layer(name):
    start, total, line = MERGED[name]
    text = f"{start}\n{total}"
    model = optimized(text, PASSES)
    merged = model.graph.nodes[-1]
    expected = graph_of(f"{start}\n{line}")
    assert [node.op for node in model.graph.nodes] == [node.op for node in expected.nodes]
    assert merged.name in graph_of(text).by_name


# What stays beside a layer, and why.
APART = {
    "two asymmetric kernels": (
        "input 2 6 6; add { conv 3 1x3 padding=(0, 1) | conv 3 3x1 padding=(1, 0) }",
        "conv2",
        "no part of `conv1`, since one kernel would have 54 weights, two have 36",
    ),
    "windows whose taps do not meet": (
        "input 2 9 9; add { conv 3 3 padding=1 | conv 3 3 padding=2 dilation=2 }",
        "conv2",
        "no part of `conv1`, since one kernel would have 150 weights, two have 108",
    ),
    "a dense kernel and a depthwise one": (
        "input 8 5 5; add { conv 8 1 | conv 8 3 padding=1 groups=8 }",
        "conv1",
        "no part of `conv2`, since one kernel would have 576 weights, two have 136",
    ),
    "strides": (
        "input 2 1 1; add { conv 2 1 stride=2 | conv 2 1 }",
        "conv2",
        "no part of `conv1`, since one steps by 2, the other by 1",
    ),
    "borders": (
        "input 2 5 5; add { conv 2 3 padding=1 mode=reflect | conv 2 3 padding=1 }",
        "conv2",
        "no part of `conv1`, since one pads with reflect and one with zeros",
    ),
    "a reader": (
        "input 2 5 5; @a = conv 2 1; add { @a | conv 2 3 padding=1 } -> mul { @ | @a -> relu }",
        "conv1",
        "`relu1` reads it too",
    ),
    "a result": (
        "input 2 5 5; @a = conv 2 1; add { @a | conv 2 3 padding=1 }; out a=@a, sum=@",
        "conv1",
        "it is a result",
    ),
    "shared weights": (
        "input 2 5 5; share f = conv 2 1; add { f | conv 2 3 padding=1 } -> f",
        "f",
        "another use of its weights does not merge so",
    ),
    "factors": (
        "input 4; mean { dense 4 | dense 4 | relu }",
        "mean1",
        "what is left to add up has factors",
    ),
    "transposed": (
        "input 2 5 5; add { conv_transpose 2 3 padding=1 | conv 2 3 padding=1 }",
        "conv1",
        "no part of `conv_transpose1`, since only one is transposed",
    ),
    "a pool that leaves out what it pads": (
        "input 2 5 5; add { conv 2 3 padding=1 | avgpool 3 stride=1 padding=same }",
        "avgpool1",
        "its windows at the border have fewer elements",
    ),
    "padding of unknown sizes": (
        "input 2 ?H 8; add { conv 2 3 stride=2 padding=same | conv 2 1 stride=2 padding=same }",
        "conv1",
        "what it pads depends on sizes known only at run time",
    ),
}


@pytest.mark.parametrize("name", APART)
def test_what_stays_apart_has_a_reason(name):
    text, node, reason = APART[name]
    model = optimized(text, PASSES)
    assert model.graph == graph_of(text)
    assert (node, f"stays: {reason}") in {(note.node, note.text) for note in model.notes}


@pytest.mark.parametrize(
    "text",
    [
        "max { conv 4 3 padding=1 | conv 4 1 }",
        "add { conv 4 3 padding=1 -> relu | conv 4 1 }",
        "add { conv 4 3 padding=1 | tanh -> conv 4 1 }",
        "add { conv 4 3 padding=1 | relu }",
        "add { wsconv 4 3 padding=1 | conv 4 1 }",
        "mul { conv 4 3 padding=1 | conv 4 1 }",
    ],
)
def test_what_is_no_sum_of_linear_branches_is_left_alone(text):
    graph = graph_of(f"input 4 6 6; {text}")
    assert netspec.optimize(graph, None, PASSES)[::2] == (graph, ())


def test_what_cannot_join_is_still_added():
    text = "input 4 6 6; add { conv 4 3 padding=1 | relu | conv 4 1 } -> tanh"
    model = optimized(text, PASSES)
    assert kinds(model) == ["input", "conv", "relu", "add", "tanh"]
    minus = optimized("input 4; sub { relu | dense 4 | dense 4 | tanh }", PASSES)
    assert minus.graph.nodes[-1].inputs == ("relu1", "dense1", "tanh1")


def test_branches_of_several_tensors_become_a_layer_for_each_in_their_order():
    branches = [f"@{name} -> conv 4 {k} padding=half" for name in "dacb" for k in (1, 3)]
    inputs = "; ".join(f"@{name} = input 4 6 6" for name in "abcd")
    model = optimized(f"{inputs}; add {{ {' | '.join(branches)} }}", PASSES)
    assert kinds(model) == ["input"] * 4 + ["conv"] * 4 + ["add"]
    assert model.graph.nodes[-1].inputs == ("conv2", "conv4", "conv6", "conv8")


def test_a_sum_may_have_several_readers_and_be_a_result():
    text = """
    input 4 6 6
    @s = add { conv 4 3 padding=1 | conv 4 1 }
    add { @s -> relu | @s -> tanh }
    out sum=@s, last=@
    """
    model = optimized(text, PASSES)
    assert kinds(model) == ["input", "conv", "relu", "tanh", "add"]
    assert model.graph.outputs[0].node == "conv1"


def test_shared_blocks_merge_in_each_use():
    text = """
    input 4 6 6
    share unit = { add { conv 4 3 padding=1 bias=false -> bn | conv 4 1 bias=false -> bn | bn } -> relu }
    unit -> unit -> pool 2 -> unit
    """
    model = optimized(text, PASSES)
    assert [node.name for node in model.graph.nodes if node.op.kind == "conv"] == [
        "unit.conv1",
        "unit2.conv1",
        "unit3.conv1",
    ]
    assert model.weights.keys() == {"unit.conv1.weight", "unit.conv1.bias"}


def test_weights_that_are_not_finite_stay_apart():
    graph = graph_of("input 4 6 6; add { conv 4 3 padding=1 | conv 4 1 | bn }")
    weights = random_weights(graph)
    weights["conv2.weight"][0, 0] = np.inf
    weights["bn1.running_var"][1] = -1
    model = netspec.optimize(graph, weights, ["merge-branches"])
    assert model.graph == graph
    assert [(note.node, note.text) for note in model.notes] == [
        ("conv2", "stays: it has weights that are not finite"),
        ("bn1", "stays: it has a negative variance"),
    ]


@pytest.mark.parametrize(("total", "factor"), [("add", 1), ("mean", 1 / 3)])
def test_the_sum_is_rounded_once(total, factor):
    layer = "dense 1 bias=false"
    graph = graph_of(f"input 1; {total} {{ {layer} | {layer} | {layer} }}")
    weights = {
        f"dense{i}.weight": np.full((1, 1), value, np.float32)
        for i, value in enumerate((1, 2.0**-24, 2.0**-24), start=1)
    }
    model = netspec.optimize(graph, weights, PASSES)
    assert model.weights["dense1.weight"] == np.float32((1 + 2.0**-23) * factor)


# ---- random sums ----

_AXIS = st.tuples(st.integers(1, 4), st.integers(1, 3))


@st.composite
def branches(draw):
    """A sum of branches of one image or sequence that give equal shapes, some within inner sums."""
    rank = draw(st.sampled_from([1, 2, 2, 2]))
    channels = draw(st.sampled_from([2, 4, 6]))
    stride = draw(st.sampled_from([1, 1, 1, 2]))
    sizes = [draw(st.integers(7, 9)) for _ in range(rank)]
    outputs = channels if draw(st.booleans()) else 4

    def branch():
        kind = draw(st.sampled_from(["conv"] * 5 + ["itself", "map", "pool", "relu", "sum"]))
        windows = [draw(_AXIS) for _ in range(rank)]
        kernel = ", ".join(str(k) for k, _ in windows)
        dilation = ", ".join(str(d) for _, d in windows)
        reach = [(k - 1) * d for k, d in windows]
        before = [draw(st.integers(0, r)) for r in reach]
        pads = ", ".join(map(str, [*before, *(r - b for r, b in zip(reach, before, strict=True))]))
        same = channels == outputs and stride == 1
        if kind == "sum":
            return f"{draw(st.sampled_from(['add', 'sub', 'mean']))} {{ {branch()} | {branch()} }}"
        if kind == "itself" and same:
            return "@"
        if kind == "map" and same:
            return draw(
                st.sampled_from(["bn", "scale", "affine", "times 2", "shift", "rescale 2 1"])
            )
        if kind == "relu" and same:
            return "relu"
        if kind == "pool" and channels == outputs and max(reach, default=0) < 4:
            size = ", ".join(str(k) for k, _ in windows)
            more = ", ".join(str(k - 1 - (k - 1) // 2) for k, _ in windows)
            less = ", ".join(str((k - 1) // 2) for k, _ in windows)
            return f"avgpool ({size},) stride={stride} padding=({less}, {more})"
        groups = draw(st.sampled_from([1, 1, 2, channels if outputs % channels == 0 else 1]))
        groups = groups if channels % groups == outputs % groups == 0 else 1
        bias = draw(st.sampled_from(["", " bias=false", " bias=false -> bn"]))
        return (
            f"conv {outputs} ({kernel},) stride={stride} dilation=({dilation},) padding=({pads})"
            f" groups={groups}{bias}"
        )

    rows = [branch() for _ in range(draw(st.integers(2, 5)))]
    given_sizes = [*sizes, channels] if rank == 1 else [channels, *sizes]
    return f"input {' '.join(map(str, given_sizes))}\nadd {{ {' | '.join(rows)} }} -> tanh"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(branches())
def test_random_sums_keep_their_numbers(text):
    optimized(text, PASSES)
