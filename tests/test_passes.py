"""How passes are named, ordered and run; what each does stands in a file of its own."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import netspec
from netspec.backend import load_backend
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.passes import CATALOGUE, OPTIMIZE, Model, find, run_passes
from netspec.passes.validate import InvalidGraph

NET = "net small { input 3 6 6 -> conv 4 3 -> bn -> relu -> conv 4 1 bias=false -> bn }"


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_pass_is_where_the_catalogue_says(name):
    assert find(name).__doc__


def test_an_unknown_pass_is_told_with_a_suggestion():
    with pytest.raises(SpecError, match="there is no pass `fold-bm`") as caught:
        netspec.optimize(netspec.parse(NET), passes=["fold-bm"])
    assert "`fold-bn`" in caught.value.diagnostics[0].help


def test_weights_come_back_in_the_dtype_that_they_had():
    graph = netspec.parse(NET)
    weights = netspec.init_weights(graph)
    model = netspec.optimize(graph, weights)
    assert {array.dtype for array in model.weights.values()} == {np.dtype("float32")}
    double = {name: array.astype(float) for name, array in weights.items()}
    exact = netspec.optimize(graph, double)
    for name, array in exact.weights.items():
        np.testing.assert_array_equal(model.weights[name], array.astype(np.float32))


def test_no_passes_change_nothing():
    graph, weights = netspec.parse(NET), {}
    assert netspec.optimize(graph, weights, ()) == (graph, weights, ())


def test_the_command_line_orders_and_adds_up_what_is_asked_for(tmp_path):
    (tmp_path / "small.net").write_text(NET)
    spec, run = str(tmp_path / "small.net"), CliRunner().invoke
    texts = {
        run(main, ["compile", spec, "-t", "torch", *options]).output
        for options in (["--fold-bn"], ["--passes", "fold-bn"], ["--passes", " fold-bn,,fold-bn"])
    }
    assert len(texts) == 1
    assert "BatchNorm" not in texts.pop()
    assert run(main, ["passes"]).output.split()[0] == OPTIMIZE[0]


def test_what_the_passes_did_is_told_of_each_node(tmp_path):
    text = NET.replace("conv 4 1 bias=false", "bn -> dropout -> conv 4 3 padding=1 -> relu")
    (tmp_path / "small.net").write_text(text)
    arguments = ["compile", str(tmp_path / "small.net"), "-t", "ir", "-O", "--explain-passes"]
    result = CliRunner().invoke(main, arguments)
    lines = [
        "`dropout1` gone: changes nothing (drop-identity)",
        "`bn1` into `conv1` (affine-backward)",
        "`bn2` stays: `relu1` is not linear (affine-backward); "
        "`conv2` pads with zeros (affine-forward)",
        "`bn3` stays: `relu2` is not linear (affine-backward); "
        "`bn3` is a result of the network (affine-forward)",
    ]
    assert result.stderr.splitlines() == lines
    file = ["-o", str(tmp_path / "small.json")]
    assert CliRunner().invoke(main, [*arguments, *file]).stderr.splitlines() == lines
    graph = netspec.load(tmp_path / "small.net")
    notes = netspec.compile(graph, target="ir", passes=OPTIMIZE).notes
    assert notes == netspec.optimize(graph).notes
    assert [note.node for note in notes if note.changed] == ["dropout1", "bn1"]


def test_a_rewritten_network_says_so_and_does_not_train():
    graph = netspec.parse(NET)
    for names, inference_only in (([], False), (["mc-dropout"], False), (OPTIMIZE, True)):
        found = netspec.optimize(graph, passes=names).graph
        assert found.inference_only == inference_only
        assert ("inference_only" in found.to_json()) == inference_only
        assert type(found).from_json(found.to_json()) == found
    assert "Rewritten for inference" in netspec.compile(found, target="torch").text
    assert "Rewritten for inference" not in netspec.compile(graph, target="torch").text
    assert found.fingerprint != found.having(inference_only=False).fingerprint
    weights = netspec.init_weights(found)
    session = load_backend("reference").open_session(found, weights, "float64")
    x = np.ones((2, 3, 6, 6))
    y = session.predict({"input": x})
    with pytest.raises(SpecError, match="`small` was rewritten for inference"):
        session.train_step({"input": x}, y)


def test_a_pass_that_adds_work_is_a_fault():
    model = Model(netspec.parse(NET))
    for text, fault in (
        (NET.replace("relu", "relu -> relu"), "makes 7 nodes of 6"),
        (NET.replace("-> relu", "-> scale"), "makes 2176 multiply-adds of 2112"),
    ):
        dear = Model(netspec.parse(text))
        steps = [lambda _, dear=dear: dear]
        with pytest.raises(InvalidGraph, match=fault):
            run_passes(model, steps, thrifty=steps)
        assert run_passes(model, steps) is dear


def test_a_pass_that_breaks_a_graph_is_a_fault():
    graph = netspec.parse(NET)
    torn = graph.having(nodes=graph.nodes[:2] + graph.nodes[3:])
    with pytest.raises(InvalidGraph, match="which no node before it gives"):
        run_passes(Model(graph), [lambda _: Model(torn)])
