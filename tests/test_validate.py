"""The invariants: graphs from specs hold them, and each kind of broken graph is told apart."""

from __future__ import annotations

import contextlib
import copy
import json

import pytest
from graphs import OPS_BY_EXAMPLE, example_graph, example_id, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from netspec.ir import Graph, Node, Output, Scope
from netspec.ops.activation.rectifiers import Relu
from netspec.ops.conv import Conv
from netspec.ops.input import Input
from netspec.passes import Model, run_passes
from netspec.passes.validate import InvalidGraph, validate
from netspec.shape import Shape
from netspec.source import Position

GOOD = graph_of(
    "block cbr(c) { conv c 3 padding=1 -> bn -> relu }\n"
    "input 3 8 8\nstem: cbr 4\nresidual { cbr 4 }\ndense 5"
)


@pytest.mark.parametrize(("op", "example"), OPS_BY_EXAMPLE, ids=example_id)
def test_every_op_gives_a_valid_graph(op, example):
    validate(example_graph(op, example))


def test_a_valid_graph_stays_valid_through_json():
    validate(Graph.from_json(GOOD.to_json()))


def with_node(name, **update):
    nodes = [n.model_copy(update=update) if n.name == name else n for n in GOOD.nodes]
    return {"nodes": tuple(nodes)}


def relu(name, source="input", shape=(3, 8, 8)):
    return Node(name=name, op=Relu(), inputs=(source,), shape=Shape.of(*shape))


IDS = Node(name="ids", op=Input(sizes=(5,), dtype="int"), shape=Shape.of(5, dtype="int"))


def plus(node):
    return {"nodes": (*GOOD.nodes, node)}


WRONG = {
    "unordered": (
        {"nodes": GOOD.nodes[::-1]},
        "`dense1` reads `flatten1`, which no node before it gives",
    ),
    "unknown input": (with_node("stem.relu1", inputs=("bn9",)), "`stem.relu1` reads `bn9`"),
    "twice": (plus(GOOD.nodes[-1]), "2 nodes are called `dense1`"),
    "scope twice": ({"scopes": (*GOOD.scopes, GOOD.scopes[0])}, "2 scopes are called `stem`"),
    "output twice": ({"outputs": GOOD.outputs * 2}, "2 outputs are called `output`"),
    "node and scope": (plus(relu("stem")), "`stem` is a node and a scope"),
    "below a node": (plus(relu("dense1.relu1")), "`dense1.relu1` lies below the node `dense1`"),
    "scope below a node": (
        {"scopes": (*GOOD.scopes, Scope(path="dense1.x"))},
        "`dense1.x` lies below the node `dense1`",
    ),
    "position of nothing": (
        {"positions": {"ghost": Position("a.net", 1, 1, 1, 2)}},
        "there is a position for `ghost`",
    ),
    "name that is none": ({"tensors": {"": {"dense1": "x; y"}}}, "`x; y` cannot name a tensor"),
    "wrong shape": (
        with_node("stem.conv1", shape=Shape.of(4, 7, 7)),
        "`stem.conv1` is 4 x 7 x 7, but its op gives 4 x 8 x 8",
    ),
    "unsettled": (with_node("stem.conv1", op=Conv(filters=4, kernel=3)), "is not settled"),
    "impossible op": (
        with_node("stem.conv1", op=Conv(filters=4, kernel=9).settle(Shape.of(3, 8, 8))),
        "`stem.conv1` cannot be: `conv` looks through a 9 x 9 window",
    ),
    "wrong kind": (
        with_node("dense1", inputs=("stem.relu1",)),
        "`dense1` is a `dense` of float image 4 x 8 x 8",
    ),
    "wrong number": (
        with_node("stem.relu1", inputs=("stem.bn1", "stem.bn1")),
        "`stem.relu1` is a `relu` of 2 tensors",
    ),
    "input with an input": (
        with_node("stem.relu1", op=Input(sizes=(4, 8, 8))),
        "`stem.relu1` is a `input` of 1 tensors",
    ),
    "integers": (
        {"nodes": (IDS, relu("relu1", "ids", (5,)))},
        "`relu1` is a `relu` of int sequence 5",
    ),
    "strange axes": (
        with_node("stem.relu1", shape=Shape(axes="xx", sizes=(1, 2))),
        "a shape of axes `xx`",
    ),
    "empty axis": (with_node("stem.relu1", shape=Shape.of(4, 0, 8)), "sizes (4, 0, 8)"),
    "no outputs": ({"outputs": ()}, "the graph has no outputs"),
    "unknown output": (
        {"outputs": (Output(name="y", node="relu9"),)},
        "the output `y` is `relu9`, which is no node",
    ),
}


@pytest.mark.parametrize(("update", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_broken_graph_is_told(update, message):
    with pytest.raises(InvalidGraph) as caught:
        validate(GOOD.model_copy(update=update))
    assert any(message in fault for fault in caught.value.faults), caught.value.faults


def leaves(value, path=()):
    """The place of every plain value in a JSON document."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, inner in pairs for leaf in leaves(inner, (*path, key))]
    return [path]


DOCUMENT = json.loads(GOOD.to_json())
LEAVES = [path for path in leaves(DOCUMENT) if path[0] != "positions"]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(LEAVES),
    st.sampled_from([0, 1, 2, 7, -1, 2**31, 0.5, True, None, "", "x", "conv", "stem", [], [1, 2]]),
)
def test_a_tampered_graph_is_refused_or_valid(path, value):
    document = copy.deepcopy(DOCUMENT)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with contextlib.suppress(ValidationError, InvalidGraph):
        validate(Graph.from_json(json.dumps(document)))


def test_all_faults_are_told_at_once():
    broken = GOOD.model_copy(update={**plus(relu("relu1", "ghost")), "outputs": ()})
    with pytest.raises(InvalidGraph) as caught:
        validate(broken)
    assert len(caught.value.faults) == 2


def test_a_pass_that_breaks_the_graph_is_caught():
    def careless(model: Model) -> Model:
        return Model(model.graph.model_copy(update={"nodes": model.graph.nodes[1:]}))

    with pytest.raises(InvalidGraph, match="reads `input`"):
        run_passes(Model(GOOD), [careless])


def test_passes_run_in_their_order():
    def named(name):
        return lambda model: Model(model.graph.model_copy(update={"name": model.graph.name + name}))

    assert run_passes(Model(GOOD), [named("a"), named("b")]).graph.name == "testab"
