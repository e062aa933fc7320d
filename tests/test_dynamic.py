"""Sizes known only at run time on PyTorch and ONNX: every op, whole networks, and how the emitted files say it."""

from __future__ import annotations

import importlib

import numpy as np
import onnx
import pytest
import torch
from graphs import REALISED_UNSIZED, assert_close, draw_inputs, graph_of, unsized_examples

import netspec
from netspec.backend import Rows, load_backend
from netspec.diagnostics import SpecError
from netspec.emit.source import Call
from netspec.ops import all_ops
from netspec.ops.activation.rectifiers import Relu
from netspec.sizes import bind, propose
from netspec.weights import random_weights

reference = load_backend("reference")

LIMITS = {"torch": ("float64", 1e-12), "onnx": ("float32", 4e-6)}

REALISED = REALISED_UNSIZED | {"take"}

UNET = "input 1 4*?H 4*?W\nunet 4 depth=2 -> conv 2 1"

TAGGER = """
input ?T 16
dense 12 -> relu -> add { @ | conv 12 3 padding=same } -> concat { @ | dense 4 -> tanh }
dense 5 -> softmax
"""

ENDS = """
input ?T 6
@first = slice t 0 2
@rest = slice t 2
@a = @rest -> slice t 0 -1 step=2
@b = @rest -> slice t -2
concat axis=t { @first | @a | @b } -> dense 3
"""

BLOCKS_OF_ENDS = """
block rest(n) { slice t n -> dense 4 -> relu }
input ?T 4
@a = rest 1 -> rest -2
slice t 0 4 -> rest 2 -> rest 1 -> gap
add { @ | @a -> gap }
"""

RUN_TIME_PADDING = """
input 3 ?H ?W
@a = conv 4 3 stride=2 dilation=2 padding=same -> relu
@b = conv 4 4 stride=3 padding=same -> pool 2 stride=3 padding=same
@c = pool 3 stride=2 padding=same -> avgpool 3 stride=2 padding=same
@d = avgpool 4x1 stride=(3, 2) padding=same count_padding=true
@e = pool 3 stride=2 ceil=true -> avgpool 3 stride=2 padding=1 ceil=true count_padding=false
@a -> gap -> dense 3
out @, b=@b, c=@c, d=@d, e=@e
"""

SEVERAL = """
@left = input ?T 8
@right = input 2*?T 8
@third = input (2*?T - 1) 8
@doubled = concat axis=t { @left | @left }
add { @doubled | @right } -> dense 3
out @, rest=(@third -> relu)
"""


def check(graph, target, choices):
    """One session computes what the reference does, whatever the sizes."""
    precision, limit = LIMITS[target]
    weights = random_weights(graph)
    session = load_backend(target).open_session(graph, weights, precision)
    oracle = reference.open_session(graph, weights, "float64")
    for batch, sizes in enumerate(choices, start=1):
        feeds = draw_inputs(graph, sizes, batch, seed=batch)
        assert_close(session.predict(feeds), oracle.predict(feeds), limit)


def refused(graph, target):
    rows = load_backend(target).ROWS
    return [reason for node in graph.nodes if (reason := rows.reason_against(graph, node))]


@pytest.mark.parametrize("op", tuple(all_ops()), ids=lambda op: op.kind)
@pytest.mark.parametrize("target", LIMITS)
def test_every_op_agrees_at_several_sizes_or_is_refused(op, target):
    done = 0
    for graph, choices in unsized_examples(op):
        assert choices
        for sizes in choices:
            for before, after in zip(graph.nodes, bind(graph, sizes).nodes, strict=True):
                assert before.shape.bind(sizes) == after.shape
        if not refused(graph, target):
            check(graph, target, choices)
            done += 1
    assert done or op.kind not in REALISED


@pytest.mark.parametrize("op", tuple(all_ops()), ids=lambda op: op.kind)
def test_every_op_trains_at_several_sizes(op):
    for graph, choices in unsized_examples(op):
        if not refused(graph, "torch"):
            check_training(graph, choices[-1])


def check_training(graph, sizes):
    weights = random_weights(graph)
    feeds = draw_inputs(graph, sizes, 5)
    oracle = reference.open_session(graph, weights, "float64")
    cotangents = {name: np.cos(array) for name, array in oracle.predict(feeds).items()}
    session = load_backend("torch").open_session(graph, weights, "float64")
    found, wanted = (each.train_step(feeds, cotangents) for each in (session, oracle))
    assert_close(found.outputs, wanted.outputs, 1e-12)
    assert_close(found.gradients, wanted.gradients, 1e-7)  # some constants are float32 in PyTorch
    assert_close(found.statistics, wanted.statistics, 1e-12)


NETWORKS = {
    "unet": (UNET, [{"H": 2, "W": 3}, {"H": 5, "W": 1}]),
    "tagger": (TAGGER, [{"T": 1}, {"T": 7}, {"T": 20}]),
    "run-time padding": (
        RUN_TIME_PADDING,
        [{"H": h, "W": w} for h, w in ((9, 10), (11, 12), (14, 8))],
    ),
    "ends": (ENDS, [{"T": 4}, {"T": 9}]),
    "blocks of ends": (BLOCKS_OF_ENDS, [{"T": 4}, {"T": 7}]),
    "several": (SEVERAL, [{"T": 1}, {"T": 6}]),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("target", LIMITS)
def test_networks_agree_at_several_sizes(name, target):
    text, choices = NETWORKS[name]
    graph = graph_of(text)
    if name == "run-time padding" and target == "onnx":
        assert {reason[:40] for reason in refused(graph, "onnx")} == {
            "ONNX Runtime has no `auto_pad` for a dil",
            "its pools have no `auto_pad` for a strid",
        }
        text = text.replace(" dilation=2", "").replace(" -> pool 2 stride=3 padding=same", "")
        graph = graph_of(text.replace("4x1 stride=(3, 2)", "4x3 stride=(3, 2)"))
    check(graph, target, choices)


@pytest.mark.parametrize("target", LIMITS)
def test_a_convolutional_network_takes_images_of_any_size(target):
    graph = netspec.load("examples/resnet18.net", input_shape=(3, "?H", "?W"))
    known = netspec.load("examples/resnet18.net", input_shape=(3, 40, 33))
    assert [name for name, _ in graph.weights()] == [name for name, _ in known.weights()]
    check(graph, target, [{"H": 40, "W": 33}, {"H": 33, "W": 65}])


def test_emitted_pytorch_pads_at_run_time(tmp_path, monkeypatch):
    graph = graph_of("input 3 ?H ?W -> conv 4 3 stride=2 dilation=2 padding=same -> pool 3 2 same")
    text = load_backend("torch").emit(graph, None).decode()
    assert "def same_padding(x: Tensor, window: list[int], stride: list[int]) -> list[int]:" in text
    assert "F.pad(x, same_padding(x, [5, 5], [2, 2]))" in text
    assert 'same_padding(x, [3, 3], [2, 2]), value=float("-inf")' in text
    (tmp_path / "emitted.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    module, x = importlib.import_module("emitted").Test(), torch.zeros(2, 3, 9, 14)
    with pytest.deprecated_call():
        scripted = torch.jit.script(module)
    axes = {"x": {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}}
    exported = torch.export.export(module, (x,), dynamic_shapes=axes).module()
    for model in (module, scripted, exported):
        assert model(torch.zeros(2, 3, 11, 20)).shape == (2, 4, 3, 5)


def test_onnx_names_its_sizes():
    graph = graph_of("input 3 ?H ?N -> conv 4 3 stride=2 padding=same -> conv 5 3")
    model = onnx.load_from_string(netspec.compile(graph, target="onnx").content)

    def sizes(value):
        return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]

    assert [sizes(value) for value in model.graph.input] == [["N_", 3, "H", "N"]]
    assert [sizes(value) for value in model.graph.value_info] == [
        ["N_", 4, "(H + 1)//2", "(N + 1)//2"]
    ]
    assert [sizes(value) for value in model.graph.output] == [
        ["N_", 5, "(H + 1)//2 - 2", "(N + 1)//2 - 2"]
    ]
    assert any(a.s == b"SAME_UPPER" for a in model.graph.node[0].attribute if a.name == "auto_pad")


# ---- rows that need a number ----


def rows_with(row):
    rows = Rows("fake")
    rows.row(Relu)(row)
    return rows


GRAPH = "input 3 ?H ?W -> relu"

NEEDY = {
    "computed with": lambda _, x: [0] * x.axis("h"),
    "compared": lambda _, x: x.axis("w") > x.axis("h"),
    "written": lambda _, x: Call("crop", {"0": (1, x.axis("h"))}),
    "written in a text": lambda _, x: f"crop({x.axis('h')})",
}


@pytest.mark.parametrize("use", NEEDY)
def test_a_row_that_needs_a_number_is_refused(use):
    graph = graph_of(GRAPH)
    with pytest.raises(SpecError) as caught:
        rows_with(NEEDY[use]).check(graph)
    assert "unsupported: fake cannot realise `relu` (relu1): " in str(caught.value)
    assert "as a number, and that is known only at run time" in str(caught.value)
    assert "unknown_size" not in str(caught.value)
    rows_with(NEEDY[use]).check(bind(graph, {"H": 4, "W": 5}))


def test_a_row_that_needs_none_is_not():
    rows_with(lambda _, x: Call("relu", {"0": x.axis("c")})).check(graph_of(GRAPH))


def test_a_limit_that_needs_a_number_refuses():
    rows = Rows("fake")
    rows.row(Relu, limit=lambda _, x: "too high" if x.axis("h") > 8 else None)(lambda _, x: x)
    with pytest.raises(SpecError, match="needs the size `H` as a number"):
        rows.check(graph_of(GRAPH))


# ---- verify ----


def test_verify_chooses_several_sizes_and_says_which():
    graph = graph_of(TAGGER)
    report = netspec.verify(graph, targets=["torch"], precisions=["float64"], batches=(1, 3))
    assert report.passed
    assert len(report.sizes) == 3
    assert all(sizes.keys() == {"T"} for sizes in report.sizes)
    assert f"batch 3: T = {report.sizes[1]['T']}" in report.table()
    assert f"training: T = {report.sizes[2]['T']}" in report.table()
    assert f'"T": {report.sizes[0]["T"]}' in report.to_json()


def test_verify_finds_sizes_that_the_network_takes():
    graph = graph_of("input 3 ?H ?W -> repeat 4 { conv 4 3 stride=2 } -> gap")
    draws = np.random.default_rng(0)
    sizes = propose(graph, lambda low, high: int(draws.integers(low, high)))
    assert min(sizes.values()) >= 31
