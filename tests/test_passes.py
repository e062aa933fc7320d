"""How passes are named, ordered and run; what each does stands in a file of its own."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import netspec
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.passes import CATALOGUE, OPTIMIZE, find

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
