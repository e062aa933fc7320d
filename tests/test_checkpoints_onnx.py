"""Weights in ONNX files: exports matched by order, and models whose weights stand in a file beside them."""

from __future__ import annotations

import os
import warnings

import numpy as np
import onnx
import pytest
import torch
from graphs import chain
from onnx import TensorProto, helper, numpy_helper
from test_checkpoints import GRAPH, WEIGHTS, assert_same_bits, mistake

import netspec
from netspec.backend import load_backend
from netspec.backends.onnx import files as onnx_files
from netspec.backends.onnx import graph as onnx_graph
from netspec.checkpoints.formats import load_matched, read_checkpoint
from netspec.diagnostics import SpecError
from netspec.runtime import open_session
from netspec.weights import random_weights
from netspec.writing import write


def test_an_export_with_mangled_names_is_matched_by_order(tmp_path):
    graph = chain("input 5 8", "dense 6", "gru 4", "dense 3")
    weights = random_weights(graph)
    module = netspec.build(graph, target="torch", weights=weights)
    path = str(tmp_path / "a.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.zeros(1, 5, 8),), path, dynamo=False)
    assert {each.id for each in caught(lambda: load_matched(path, graph))} >= {"missing-weight"}
    found = load_matched(path, graph, by_order=True)
    assert_same_bits({n: np.ascontiguousarray(a) for n, a in found.weights.items()}, weights)
    notes = [each.tensor.note for each in found.matches]
    assert notes.count("transposed") == 2
    assert notes.count("gates in PyTorch's order") == 4


def caught(call):
    with pytest.raises(SpecError) as error:
        call()
    return error.value.diagnostics


def gemm(turned, location=None):
    """A model with one Gemm, its weight `(2, 3)` or `(3, 2)`, perhaps in another file."""
    weight = helper.make_tensor(
        "w", TensorProto.FLOAT, (2, 3), np.arange(6, dtype="f4").tobytes(), raw=True
    )
    if location is not None:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=location)
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=int(turned))
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    return helper.make_model(helper.make_graph([node], "g", infos[:1], infos[1:], [weight]))


@pytest.mark.parametrize("shape", [(1, 7, 3), (3,)])
def test_a_recurrent_weight_without_its_gates_is_told(tmp_path, shape):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    weight = numpy_helper.from_array(np.zeros(shape, "f4"), "W")
    node = helper.make_node("LSTM", ["x", "W", "W"], ["y"], hidden_size=2)
    model = helper.make_model(helper.make_graph([node], "g", values[:1], values[1:], [weight]))
    onnx.save(model, tmp_path / "a.onnx")
    found = mistake(lambda: read_checkpoint(tmp_path / "a.onnx"))
    assert "has not the gates of LSTM" in found.message


def test_a_gemm_holds_its_weight_either_way(tmp_path):
    for turned, shape in ((True, (2, 3)), (False, (3, 2))):
        onnx.save(gemm(turned), tmp_path / "a.onnx")
        (tensor,) = read_checkpoint(tmp_path / "a.onnx").tensors
        assert tensor.shape == shape


@pytest.mark.parametrize("location", ["../a.data", "/etc/hostname", "link", "sub/../../a.data"])
def test_external_data_is_read_from_the_models_folder_only(tmp_path, location):
    numbers = np.arange(6, dtype="f4")
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    numbers.tofile(tmp_path / "a.data")
    (folder / "link").symlink_to(tmp_path / "a.data")
    onnx.save(gemm(True, location), folder / "a.onnx")
    assert mistake(lambda: read_checkpoint(folder / "a.onnx")).id == "unsafe-file"
    numbers.tofile(folder / "sub" / "b.data")
    onnx.save(gemm(True, "sub/b.data"), folder / "a.onnx")
    (tensor,) = read_checkpoint(folder / "a.onnx").tensors
    np.testing.assert_array_equal(tensor.array.ravel(), numbers)
    numbers[:5].tofile(folder / "sub" / "b.data")
    assert "ends before" in mistake(lambda: read_checkpoint(folder / "a.onnx")).message


@pytest.fixture
def small(monkeypatch):
    """Files end after 1000 bytes of weights, and weights above 64 bytes go elsewhere."""
    monkeypatch.setattr(onnx_graph, "LARGEST", 1000)
    monkeypatch.setattr(onnx_files, "SMALL", 64)


@pytest.mark.usefixtures("small")
def test_weights_too_many_for_a_file_stand_beside_it(tmp_path):
    path = tmp_path / "sub.folder" / "a.onnx"
    path.parent.mkdir()
    model, data = write(GRAPH, str(path), weights=WEIGHTS)
    assert sorted(os.listdir(path.parent)) == sorted(map(os.path.basename, (model, data)))
    held = onnx.load(model, load_external_data=False)
    outside = [
        each for each in held.graph.initializer if each.data_location == TensorProto.EXTERNAL
    ]
    assert {each.name for each in outside} == {"conv1.weight", "dense1.weight"}
    for each in outside:
        entry = {pair.key: pair.value for pair in each.external_data}
        assert entry["location"] == os.path.basename(data)
        assert int(entry["offset"]) % 4096 == 0
    onnx.checker.check_model(model, full_check=True)
    assert_same_bits(load_matched(model, GRAPH).weights, WEIGHTS)
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype("f4")
    wanted = load_backend("reference").open_session(GRAPH, WEIGHTS, "float64")
    y = open_session(model).run(x)["output"]
    np.testing.assert_allclose(y, wanted.predict({"input": x})["output"], atol=1e-5)


@pytest.mark.usefixtures("small")
def test_a_model_and_its_weights_are_replaced_together(tmp_path, monkeypatch):
    path = tmp_path / "a.onnx"
    other = random_weights(GRAPH, 1)
    _, first = write(GRAPH, str(path), weights=WEIGHTS)
    (tmp_path / "a.onnx.0123456789abcdef.data").write_text("another's")
    (tmp_path / "notes.data").write_text("another's")
    write(GRAPH, str(path), weights=WEIGHTS)
    assert os.path.exists(first)
    _, second = write(GRAPH, str(path), weights=other)
    assert not os.path.exists(first)
    assert_same_bits(load_matched(str(path), GRAPH).weights, other)
    before = sorted(os.listdir(tmp_path))

    def fails(*_):
        raise SpecError

    monkeypatch.setattr(onnx_files, "write_atomically", fails)
    with pytest.raises(SpecError):
        write(GRAPH, str(path), weights=WEIGHTS)
    assert sorted(os.listdir(tmp_path)) == before
    monkeypatch.undo()
    write(GRAPH, str(path), weights=WEIGHTS)
    assert sorted(os.listdir(tmp_path)) == ["a.onnx", "a.onnx.0123456789abcdef.data", "notes.data"]
    assert not os.path.exists(second)
