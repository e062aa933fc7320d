"""Where sequences are turned: as seldom as any choice of orders allows, in the right scope, and to the same effect."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import onnx
import pytest
from graphs import OPS_BY_EXAMPLE, example_graph, example_id, graph_of

import netspec
from netspec.backend import load_backend
from netspec.ops.permute import Permute
from netspec.passes import Model
from netspec.passes.sequence_layout import sequence_layout
from netspec.weights import random_weights

TCN = """
block temporal(c, dilation) {
  add { repeat 2 { conv c 3 dilation=dilation padding=causal -> bn -> relu -> dropout } | conv c 1 }
  -> relu
}
net tcn { INPUT -> for i in range(3) { temporal 6 2**i } -> mul { @ | gap -> dense 6 -> sigmoid } OUTPUT }
"""


def arranged(text):
    return sequence_layout(Model(graph_of(text))).graph


def conversions(graph):
    return [node.name for node in graph.nodes if isinstance(node.op, Permute)]


def transposes(graph):
    """How many the ONNX model of a graph holds, but for those of weights."""
    weights = random_weights(graph)
    model = onnx.load_from_string(load_backend("onnx").emit(graph, weights))
    found = [node for node in model.graph.node if node.op_type == "Transpose"]
    return sum(node.input[0] not in weights for node in found)


@pytest.mark.parametrize(
    ("given", "result", "count"),
    [
        ("input 16 4", "", 2),
        ("input c=4 t=16", "", 1),
        ("input 16 4", '-> permute "c t"', 1),
        ("input c=4 t=16", '-> permute "c t"', 0),
        ("input c=4 t=16", "-> gap -> dense 3", 0),
    ],
)
def test_a_tcn_is_turned_at_its_ends_alone(given, result, count):
    graph = graph_of(TCN.replace("INPUT", given).replace("OUTPUT", result))
    assert len(conversions(sequence_layout(Model(graph)).graph)) == transposes(graph) == count
    source = load_backend("torch").emit(graph).decode()
    assert source.count(".transpose(") == count
    assert source.count("class Temporal(") == 1
    assert "class Temporal2" not in source


@pytest.mark.parametrize(
    ("name", "count"),
    [("tcn", 1), ("wavenet", 0), ("n1", 0), ("n4", 0), ("mobilenet_v2", 0), ("resnet18", 0)],
)
def test_the_examples_are_turned_as_seldom_as_their_ends_allow(name, count):
    size = {"input_shape": (3, 32, 32)} if name in ("mobilenet_v2", "resnet18") else {}
    assert transposes(netspec.load(f"examples/{name}.net", **size)) == count


def test_no_name_of_a_layer_stands_for_an_order():
    named = "input 16 4 -> {}: relu -> relu -> conv 4 3 -> gap"
    found = [len(conversions(arranged(named.format(label)))) for label in ("tc", "ct", "other")]
    assert found == [1, 1, 1]


def test_networks_without_windows_over_time_stay_as_they_are():
    for text in ("input 4 6 -> dense 3 -> relu", 'input 4 6 -> permute "c t"', "input 3 8 8 -> bn"):
        graph = graph_of(text)
        assert sequence_layout(Model(graph)).graph is graph


@pytest.mark.parametrize(
    ("text", "names"),
    [
        # In the scope of value and reader; one for several readers; ops keep their input's order.
        ("input 8 4 -> a: { conv 4 1 -> dense 4 -> relu -> conv 4 1 } -> gap",
         ["permute1", "a.permute1", "a.permute2"]),
        ("input 8 4 -> add { conv 4 1 | conv 4 3 padding=1 | bn } -> gap", ["permute1"]),
        ("input 8 4 -> conv 4 1 -> relu -> tanh -> dense 4", ["permute1", "permute2"]),
        ("input 8 4 -> relu -> conv 4 1 -> concat { @ | relu -> dense 2 } -> gap",
         ["permute1", "permute2"]),
        ("input 8 4 -> relu -> add { dense 4 | @ | tanh } -> conv 4 1 -> gap", ["permute1"]),
        ("input c=4 t=8 -> permute2: dense 4 -> bn", ["permute1", "permute3", "permute4"]),
    ],
)  # fmt: skip
def test_conversions_stand_where_they_are_needed(text, names):
    assert conversions(arranged(text)) == names


def random_network(seed):
    """A few layers over sequences of one size, with values that several layers read."""
    draw = random.Random(seed)
    lines = ["input 5 4", "@v0 = @"]
    steps = [
        "relu",
        "dropout 0",
        "conv 4 1",
        "bn affine=false",
        "dense 4",
        'permute "c t" -> permute "t c"',
    ]
    for number in range(1, draw.randint(3, 9)):
        one, other = (f"@v{draw.randrange(number)}" for _ in range(2))
        op = draw.choice([*steps, "add", "max"])
        line = f"{op} {{ {one} | {other} }}" if op in ("add", "max") else f"{one} -> {op}"
        lines.append(f"@v{number} = {line}")
    return "\n".join([*lines, f"@v{number} -> relu"])


def least_conversions(graph):
    """By trial: every order for every layer that has none of its own."""
    wants = {"fixed": "tc", "channels_first": "ct"}
    nodes = [node for node in graph.nodes if not isinstance(node.op, Permute)]

    def origin(name):
        node = graph.by_name[name]
        return origin(node.inputs[0]) if isinstance(node.op, Permute) else name

    free = [node.name for node in nodes if node.op.layout == "any"]
    (result,) = graph.outputs

    def count(orders):
        readings = {(origin(name), orders[node.name]) for node in nodes for name in node.inputs}
        readings.add((origin(result.node), "tc"))
        return sum(orders[value] != order for value, order in readings)

    fixed = {node.name: wants[node.op.layout] for node in nodes if node.op.layout != "any"}
    return min(
        count({**fixed, **dict(zip(free, orders, strict=True))})
        for orders in product(("tc", "ct"), repeat=len(free))
    )


@pytest.mark.parametrize("seed", range(60))
def test_no_choice_of_orders_needs_fewer_conversions(seed):
    graph = graph_of(random_network(seed))
    model = sequence_layout(Model(graph))
    if not any(node.op.layout == "channels_first" for node in graph.nodes):
        return
    assert len(conversions(model.graph)) == least_conversions(graph)
    assert sequence_layout(model).graph == model.graph
    check_orders(model.graph)


@pytest.mark.parametrize(("op", "example"), OPS_BY_EXAMPLE, ids=example_id)
def test_every_op_is_held_as_it_wants(op, example):
    check_orders(sequence_layout(Model(example_graph(op, example))).graph)


def check_orders(graph):
    """Each shape is what its op makes of its inputs, and windows find the channels first."""
    known = set()
    for node in graph.nodes:
        shapes = graph.input_shapes(node)
        assert known.issuperset(node.inputs)
        known.add(node.name)
        assert node.op.infer(*shapes) == node.shape
        if node.op.layout == "channels_first":
            assert all(shape.axes != "tc" for shape in shapes)


FOUND_BY_FUZZING = ["input 5 4\npool 2 stride=1 -> stack n { @ | relu }"]


@pytest.mark.parametrize("text", [*map(random_network, range(12)), *FOUND_BY_FUZZING])
def test_the_network_stays_the_same(text):
    graph = graph_of(text)
    weights = random_weights(graph)
    feeds = {"input": np.random.default_rng(0).normal(size=(3, 5, 4))}
    wanted = load_backend("reference").open_session(graph, weights, "float64").predict(feeds)
    for target in ("torch", "onnx"):
        found = load_backend(target).open_session(graph, weights, "float64").predict(feeds)
        np.testing.assert_allclose(found["output"], wanted["output"], rtol=1e-9, atol=1e-9)
