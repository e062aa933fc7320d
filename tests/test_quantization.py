"""`netspec quantize`: what it writes, what it measures, and that no bad result passes silently."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from graphs import graph_of

import netspec
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.quantization import half, quantize
from netspec.quantization.codes import in_integers
from netspec.quantization.data import Data, load_data
from netspec.quantization.half import to_half
from netspec.quantization.int8 import quantize_dynamic, quantize_static
from netspec.runtime import open_session
from netspec.weights import random_weights, save_weights

SPEC = """
net small {
  input 3 12 12
  conv 8 3 padding=1 -> relu -> bn -> conv 8 3 padding=1 -> bn -> relu -> pool 2 -> dense 6
}
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A spec with weights, examples, and the classes that the network itself clearly sees in them."""
    folder = tmp_path_factory.mktemp("quantize")
    (folder / "small.net").write_text(SPEC)
    graph = netspec.load(folder / "small.net")
    weights = random_weights(graph, 0)
    save_weights(folder / "small.safetensors", weights, graph)
    drawn = np.random.default_rng(0).normal(size=(160, 3, 12, 12)).astype(np.float32)
    session = open_session(netspec.compile(graph, target="onnx", weights=weights).content)
    logits = session.run(drawn)["output"]
    clear = np.diff(np.sort(logits)[:, -2:])[:, 0].argsort()[-80:]
    images, classes = drawn[clear], logits[clear].argmax(1)
    np.savez(folder / "data.npz", input=images, y=classes)
    np.save(folder / "images.npy", images)
    np.savez(folder / "narrow.npz", input=images * 1e-3)
    return folder


@pytest.fixture
def run(work, tmp_path):
    def invoke(*arguments, data="data.npz", code=0, evaluate=None, rounds=0):
        given = ["--calibrate", work / data, "--weights", work / "small.safetensors"]
        given += [] if evaluate is None else ["--evaluate", work / evaluate]
        given += ["--rounds", rounds, "-o", tmp_path / "small.onnx", *arguments]
        given = [str(word).replace("WORK", str(work)) for word in given]
        result = CliRunner().invoke(main, ["quantize", str(work / "small.net"), *given])
        assert result.exit_code == code, result.output
        assert (tmp_path / "small.onnx").exists() == (code == 0)
        return result

    invoke.model = lambda: onnx.load(tmp_path / "small.onnx")
    return invoke


def initializers(model):
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_static_int8_is_per_channel_and_u8s8(run):
    report = json.loads(run("--labels-in", "WORK/data.npz:y", "--format", "json").stdout)
    (accuracy, agreement, error) = report["findings"]
    assert report["passed"]
    assert report["bytes"]["after"] < report["bytes"]["before"]
    assert (accuracy["quantity"], accuracy["before"], accuracy["bound"]) == ("accuracy", 1, 0.01)
    assert accuracy["after"] == agreement["after"] >= 0.99
    assert agreement["bound"] is None
    assert 0 < error["after"] < 0.05
    model = run.model()
    kinds = {node.op_type for node in model.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear", "Conv", "Gemm"} <= kinds
    assert "BatchNormalization" not in kinds
    held = initializers(model)
    kernels = [array for array in held.values() if array.ndim == 4 and len(array) > 1]
    assert [kernel.dtype for kernel in kernels] == [np.int8, np.int8]
    assert all(
        held[node.input[2]].dtype == np.uint8
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
    )
    assert sum(array.shape == (8,) and array.dtype == np.float32 for array in held.values()) >= 2


def test_norms_behind_relus_become_bounds_of_codes(tmp_path):
    text = """input 3 20 20
conv 16 3 padding=1 -> relu -> bn -> conv 16 3 padding=1 -> relu -> bn -> pool 2
conv 24 3 padding=1 -> relu -> bn -> gap -> dense 4"""
    graph = graph_of(text)
    weights = random_weights(graph, 0)
    weights["bn2.weight"][::3] *= -1
    images = np.random.default_rng(0).normal(size=(16, 3, 20, 20)).astype(np.float32)
    report = quantize(graph, weights, Data({"input": images}), rounds=0)
    assert report.findings[-1].after < 0.05
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(report.content, options, providers=["CPUExecutionProvider"])
    run = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert run.count("QLinearConv") == 3
    assert (run.count("QuantizeLinear"), run.count("DequantizeLinear")) == (1, 0)
    assert (run.count("Max"), run.count("Min"), run.count("NhwcMaxPool")) == (2, 1, 1)
    held = initializers(onnx.load_from_string(report.content))
    assert held["conv1.weight_quantized"].shape == (16, 4, 3, 3)
    bounds = {name: array for name, array in held.items() if name.endswith("/codes")}
    assert {array.dtype for array in bounds.values()} == {np.dtype(np.uint8)}
    assert sorted(array.shape[2] for array in bounds.values()) == [10, 10, 20]


def test_bounds_of_the_spec_are_compared_as_codes_too():
    text = """input 3 9 9 -> conv 4 3
max { @ | param 4 7 7 | param 4 7 7 } -> min { @ | param 4 7 7 } -> pool 2 -> conv 4 1 -> max { @ | param 4 3 3 }"""
    graph = graph_of(text)
    draws = np.random.default_rng(0)
    weights = {name: draws.normal(size=w.shape).astype(np.float32) for name, w in graph.weights()}
    images = draws.normal(size=(8, 3, 9, 9)).astype(np.float32)
    report = quantize(graph, weights, Data({"input": images}), rounds=0)
    assert report.findings[-1].after < 0.05
    model = onnx.load_from_string(report.content)
    typed = {
        tensor.name: array.dtype
        for tensor in model.graph.initializer
        for array in [onnx.numpy_helper.to_array(tensor)]
    }
    kinds = [
        [str(typed[name]) for name in node.input[1:]]
        for node in model.graph.node
        if node.op_type in ("Max", "Min")
    ]
    assert kinds == [["uint8", "uint8"], ["uint8"], ["float32"]]


@pytest.mark.parametrize(
    ("text", "kernel"),
    [
        ("input 3 12 12 -> conv 16 3", (4, 3, 3)),
        ("input 1 12 12 -> conv 16 3", (4, 3, 3)),
        ("input 3 12 12 -> conv 16 7", (4, 7, 7)),
        ("input 1 12 12 -> conv 16 5", (1, 5, 5)),
        ("input 3 12 12 -> conv 15 3", (3, 3, 3)),
        ("input 4 12 12 -> conv 16 3 groups=2", (2, 3, 3)),
        ("input 3 12 12 -> concat { conv 16 1 | conv 16 3 padding=1 }", (3, 1, 1)),
        ("input 3 32 32 -> conv 16 7 stride=2 padding=3", (12, 4, 4)),
        ("input 3 30 46 -> conv 16 (5, 6) stride=2 padding=(2, 1)", (12, 3, 4)),
        ("input 1 42 42 -> conv 16 3 stride=2", (4, 2, 2)),
        ("input 3 64 68 -> conv 96 4 stride=4", (48, 1, 1)),
        ("input 4 36 36 -> conv 16 9 stride=3 padding=4", (36, 4, 4)),
        ("input 3 33 32 -> conv 16 7 stride=2 padding=3", (4, 7, 7)),
        ("input 3 12 12 -> conv 16 7 stride=2 padding=3", (4, 7, 7)),
        ("input 3 64 64 -> conv 32 3 stride=2", (4, 3, 3)),
        ("input 3 64 64 -> conv 16 7 stride=(2, 1)", (4, 7, 7)),
        ("input 3 64 64 -> conv 16 7 stride=2 dilation=2", (4, 7, 7)),
    ],
)
def test_images_get_channels_and_blocks_where_that_is_faster(text, kernel):
    graph = graph_of(text + " -> relu")
    images = np.random.default_rng(0).normal(size=(4, *graph.inputs[0].shape.sizes))
    feeds = {"input": images.astype(np.float32)}
    before = netspec.compile(graph, target="onnx", weights=random_weights(graph, 0)).content
    plain = quantize_static(before, [feeds], method="minmax", reduce_range=False)
    after = in_integers(plain)
    held = initializers(onnx.load_from_string(after))
    assert held["conv1.weight_quantized"].shape[1:] == kernel
    answers = [open_session(model).run(feeds)["output"] for model in (plain, after)]
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize(
    ("text", "rounded"),
    [
        ("input 8 -> dense 6 -> relu -> dense 5", 2),
        ("input 8 6 -> matmul { @ | param 6 8 }", 2),
        ("input 8 -> dense 6 -> sigmoid", 3),
        ("input 8\n@y = dense 6\nout y=@y, z=(@y -> sigmoid)", 3),
        ("input 8\n@y = dense 6\nout y=@y, z=(@y -> relu)", 2),
        ("input 8\n@y = dense 6\nout y=@y, z=(@y -> relu6 -> dense 2)", 3),
    ],
)
def test_results_are_not_clipped_and_those_of_products_not_rounded(text, rounded):
    graph = graph_of(text)
    weights = random_weights(graph, 0)
    images = np.random.default_rng(0).normal(size=(16, *graph.inputs[0].shape.sizes))
    feeds = {"input": images.astype(np.float32)}
    before = netspec.compile(graph, target="onnx", weights=weights).content
    plain = quantize_static(before, [feeds], method="minmax", reduce_range=False)
    after = in_integers(plain)
    kinds = [node.op_type for node in onnx.load_from_string(after).graph.node]
    assert kinds.count("QuantizeLinear") == rounded
    wanted, coarse, fine = (open_session(m).run(feeds) for m in (before, plain, after))
    for name, values in wanted.items():
        errors = [np.square(found[name] - values).mean() for found in (coarse, fine)]
        assert errors[1] <= errors[0] < 0.01 * np.square(values).mean()


def test_other_methods_find_other_ranges(run):
    scales = {}
    for method in ("minmax", "entropy", "percentile"):
        found = run("--method", method, "--min-agreement", 0.8)
        assert f"small: INT8, ranges of activations from 80 examples ({method})" in found.stdout
        held = initializers(run.model()).items()
        scales[method] = sum(float(array) for _, array in held if array.shape == ())
    assert scales["percentile"] < scales["minmax"]


def test_weights_of_seven_bits(run):
    run("--reduce-range", "--min-agreement", 0.8)
    kernels = [array for array in initializers(run.model()).values() if array.dtype == np.int8]
    assert max(np.abs(kernel.astype(int)).max() for kernel in kernels) == 64


def test_dynamic_int8_leaves_convolutions(run):
    run("--int8", "dynamic")
    model = run.model()
    assert {"Conv", "DynamicQuantizeLinear", "MatMulInteger"} <= {
        node.op_type for node in model.graph.node
    }
    assert all(
        array.dtype == np.float32 for array in initializers(model).values() if array.ndim == 4
    )


def test_dynamic_int8_has_the_weights_of_an_lstm():
    """Whose gates our models put into ONNX's order on loading; the states that it is given and gives stay exact."""
    graph = graph_of("input 5 12 -> lstm 8 layers=2 { @ | lstm 8 layers=2 last=state } -> dense 4")
    before = netspec.compile(graph, target="onnx", weights=random_weights(graph, 0)).content
    after = quantize_dynamic(before, reduce_range=False)
    nodes = [node.op_type for node in onnx.load_from_string(after).graph.node]
    assert nodes.count("DynamicQuantizeLSTM") == 4
    assert "LSTM" not in nodes
    feeds = {"input": np.random.default_rng(0).normal(size=(3, 5, 12)).astype(np.float32)}
    wanted, found = (open_session(model).run(feeds)["output"] for model in (before, after))
    np.testing.assert_allclose(found, wanted, atol=0.05 * np.abs(wanted).max())


def test_float16_with_inputs_and_outputs_as_they_were(run):
    text = run("--fp16", rounds=2).stdout
    assert "float32" in text
    assert "fp16" in text
    model = run.model()
    assert {i.type.tensor_type.elem_type for i in (*model.graph.input, *model.graph.output)} == {
        onnx.TensorProto.FLOAT
    }
    assert {array.dtype for array in initializers(model).values()} <= {
        np.dtype(np.float16),
        np.dtype(np.int64),
    }


@pytest.mark.parametrize(
    "text",
    [
        "input 5 dtype=int -> embed 20 8 -> lstm 6 { @ | lstm 6 last=state } -> dense 4",
        "@a = input 4 6\n@b = input 4 6\nout sum=(add { @a | @b } -> layer_norm), same=(@a -> relu)",
        "input 6 4 4 -> group_norm 2 -> upsample 2 mode=linear -> gelu\nout y=@, z=@",
    ],
)
def test_float16_of_other_networks(text):
    graph = graph_of(text)
    model = netspec.compile(graph, target="onnx", weights=random_weights(graph, 0)).content
    draws = np.random.default_rng(0)
    feeds = {
        node.name: draws.integers(20, size=(2, 5))
        if node.shape.dtype == "int"
        else draws.normal(size=(2, *node.shape.sizes)).astype(np.float32)
        for node in graph.inputs
    }
    before, after = (open_session(each).run(feeds) for each in (model, to_half(model)))
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_allclose(after[name], array, atol=4e-3 * np.abs(array).max())
        assert after[name].dtype == np.float32


def test_a_weight_beyond_float16_is_refused():
    graph = graph_of("input 3 -> dense 2")
    weights = {**random_weights(graph, 0), "dense1.weight": np.full((2, 3), 1e5, np.float32)}
    model = netspec.compile(graph, target="onnx", weights=weights).content
    with pytest.raises(SpecError, match=r"weight-overflow: `dense1.weight` holds 1e\+05"):
        to_half(model)


def test_a_model_that_does_not_run_is_told(run, monkeypatch):
    monkeypatch.setattr(half, "to_half", lambda model: model[:-1])
    assert "cannot run the network as fp16" in run("--fp16", code=1).output


def test_a_bad_result_is_not_written(run):
    """Calibrated with images that are nearly black, it saturates on those that are not."""
    found = run(data="narrow.npz", evaluate="data.npz", code=1)
    assert (
        "error[accuracy-lost]: int8-static loses too much: `output` sees the same" in found.output
    )
    assert "99.00% at least" in found.output
    labelled = ("--labels-in", "WORK/data.npz:y")
    found = run(*labelled, data="narrow.npz", evaluate="data.npz", code=1)
    assert "a drop of 1 points at most" in found.output
    run(*labelled, "--max-drop", 1, data="narrow.npz", evaluate="data.npz")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--max-drop", 0.1), 1, "a drop in accuracy takes labels"),
        (("--max-drop", 2), 2, "'2' is no share"),
        (("--fp16", "--int8", "static"), 2, "exclude each other"),
        (("--labels-in", "WORK/data.npz:z"), 1, "holds no array `z`"),
        (("--labels-in", "WORK/data.npz:input"), 1, "should be whole numbers"),
        (("--labels-in", "data.npz"), 1, "write data.npz:NAME"),
        (("--net", "other"), 1, "other"),
    ],
)
def test_what_is_asked_wrongly_is_told(run, arguments, code, words):
    assert words in run(*arguments, code=code).output


def test_data_are_found_by_name_or_alone(work):
    graph = netspec.load(work / "small.net")
    named = load_data(graph, [str(work / "data.npz")], f"{work / 'data.npz'}:y")
    alone = load_data(graph, [str(work / "images.npy")])
    assert named.examples == alone.examples == 80
    assert named.labels is not None
    assert np.array_equal(named.inputs["input"], alone.inputs["input"])
    assert [len(batch["input"]) for batch in alone.batches()] == [32, 32, 16]
    assert [len(batch["input"]) for batch in alone.batches(alike=True)] == [20, 20, 20, 20]
    two = graph_of("@a = input 3 12 12\n@b = input 2\nconcat { @a -> gap | @b }")
    with pytest.raises(SpecError, match=r"the input `a` .* is not given"):
        load_data(two, [str(work / "data.npz")])
    with pytest.raises(SpecError, match="wrong-input-size"):
        load_data(graph_of("input 3 9 9 -> gap"), [str(work / "images.npy")])
    np.savez(work / "odd.npz", a=np.zeros((2, 3, 12, 12)), b=np.zeros((3, 2)))
    with pytest.raises(SpecError, match="different numbers of examples"):
        load_data(two, [str(work / "odd.npz")])
