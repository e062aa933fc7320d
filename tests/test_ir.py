"""The graph as data: JSON both ways, the published schema, equality, and the printed form."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from graphs import OPS_BY_EXAMPLE, example_graph, example_id, graph_of
from pydantic import ValidationError

import netspec
from netspec.compiler import load_json
from netspec.ir import Graph
from netspec.ops import index, rooms
from netspec.schema import graph_schema, graph_schema_text
from netspec.text import to_text

EXAMPLES = sorted(path for path in Path("examples").glob("*.net") if path.stem != "line")
SCHEMA = jsonschema.Draft202012Validator(graph_schema())
PUBLISHED = Path("docs/graph.schema.json")


@pytest.mark.parametrize(("op", "example"), OPS_BY_EXAMPLE, ids=example_id)
def test_every_op_survives_json_and_fits_the_schema(op, example):
    graph = example_graph(op, example)
    assert graph.by_name[graph.outputs[0].node].shape.sizes == example.output
    text = graph.to_json()
    assert Graph.from_json(text) == graph
    SCHEMA.validate(json.loads(text))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_survive_json_with_their_positions(path):
    graph = netspec.load(path)
    again = load_json(graph.to_json())
    assert again == graph
    assert (again.positions, again.tensors) == (graph.positions, graph.tensors)
    assert again.fingerprint == graph.fingerprint
    data = json.loads(graph.to_json())
    data["nodes"] = [*{node["op"]["kind"]: node for node in data["nodes"]}.values()]
    SCHEMA.validate(
        data
    )  # one node of each kind: the schema has a hundred, which are tried one by one


def test_the_index_of_ops_is_the_current_one():
    """`python -m netspec.ops` renews it."""
    assert Path(rooms.__file__).read_text() == index.rooms()


def test_the_published_schema_is_the_current_one():
    """`netspec schema > docs/graph.schema.json` renews it; a change of meaning needs a new version."""
    assert PUBLISHED.read_text() == graph_schema_text()
    jsonschema.Draft202012Validator.check_schema(graph_schema())


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["nodes"][1]["op"].update(kind="covn"),
        lambda data: data["nodes"][1]["op"].update(strides=2),
        lambda data: data["nodes"][1]["op"].update(filters="32"),
        lambda data: data["nodes"][1]["op"].pop("filters"),
        lambda data: data["nodes"][1].pop("shape"),
        lambda data: data.update(version=2),
    ],
)
def test_the_schema_and_the_model_refuse_the_same(change):
    data = json.loads(graph_of("input 1 8 8 -> conv 4 3").to_json())
    change(data)
    with pytest.raises(ValidationError):
        Graph.from_json(json.dumps(data))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, graph_schema())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 1, "name": "x", "nodes": [], "outputs": [{"name": "y", "node": "gone"}]}',
        graph_of("input ?T 2").to_json().replace('"T"', '"T // True"'),
        graph_of("input 2 -> dropout").to_json().replace("0.5", "1" * 400),
        graph_of("input 2 -> prelu 0.25").to_json().replace("0.25", "1" * 400),
        graph_of("input 2 2 -> roll t=1").to_json(indent=None).replace('[["t",1]]', "[1, 2]"),
        graph_of("input 2 -> dense 2 init=normal(0.5)").to_json().replace("0.5", "1" * 400),
        graph_of("input 3 -> dense 2")
        .to_json()
        .replace('"sizes": [\n          2', '"sizes": [\n          5'),
    ],
)
def test_what_is_no_legal_graph_is_a_diagnostic(text):
    with pytest.raises(netspec.SpecError):
        load_json(text)


def test_a_saved_graph_takes_no_options(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(graph_of("input 3\nrelu").to_json())
    netspec.load(path, overrides={})
    for option in ({"net": "a"}, {"overrides": {"c": 1}}, {"input_shape": (3,)}):
        with pytest.raises(netspec.SpecError, match="bad-override"):
            netspec.load(path, **option)


def test_equality_is_of_meaning_and_not_of_place():
    spec = "input 1 8 8 -> conv 4 3 -> relu"
    graph = graph_of(spec)
    assert graph == graph_of(f"\n\n# elsewhere\n{spec}")
    assert hash(graph) == hash(graph_of(f"\n{spec}"))
    assert graph.fingerprint == graph_of(f"\n{spec}").fingerprint
    for other in (
        "input 1 8 8 -> conv 4 3 bias=false -> relu",
        "input 1 8 8 -> c: conv 4 3 -> relu",
    ):
        assert graph != graph_of(other)
        assert graph.fingerprint != graph_of(other).fingerprint


def test_a_graph_cannot_be_changed():
    graph = graph_of("input 3 -> dense 2")
    with pytest.raises(ValidationError):
        graph.name = "other"
    with pytest.raises(ValidationError):
        graph.nodes[1].op.units = 5


def test_positions_point_at_the_words():
    graph = graph_of("input 1 8 8\nconv 4 3 -> stem: conv 8 3")
    assert graph.positions["conv1"][1:3] == (2, 1)
    assert graph.positions["stem"][1:3] == (2, 19)


def test_tensors_are_called_as_in_the_scope_around():
    graph = graph_of("""
        block gated(other) { @mine = dense 4; @same = @; mul { @mine | @other -> sigmoid } }
        input 4
        @one = dense 4
        @both = gated (@one)
        @two = @both
        add { @two | @one }
    """)
    assert graph.tensors == {
        "": {"dense1": "one", "gated1.mul1": "both"},
        "gated1": {"dense1": "other", "gated1.dense1": "mine"},
    }


def test_a_file_need_not_be_called_in_utf8():
    graph = netspec.parse("input 3\nrelu", name="a\udcff.net")
    assert Graph.from_json(graph.to_json()) == graph


def test_the_printed_form_shows_scopes_and_arguments():
    text = to_text(graph_of("block b(c) { dense c bias=false }\nnet n { input 3\nb 4 -> relu }"))
    assert text.splitlines() == [
        "graph n",
        "  %input     : 3 = input(sizes=(3,))",
        "  # b1: b(c=4)",
        "  %b1.dense1 : 4 = dense(%input, units=4, bias=False)",
        "  %relu1     : 4 = relu(%b1.dense1)",
        "  return output=%relu1",
    ]
