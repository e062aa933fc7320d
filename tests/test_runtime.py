"""Running through ONNX Runtime: what arrays fit, where it runs, what it says where it cannot."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from graphs import chain, graph_of
from onnx import TensorProto, helper

from netspec.backend import load_backend
from netspec.diagnostics import SpecError
from netspec.runtime import ProviderUnavailable, open_session
from netspec.weights import random_weights

target = load_backend("onnx")

IMAGE = chain("input 1 8 8", "conv 3 3", "bn", "relu", "pool 2", "dense 4")
PAIR = graph_of("@left = input 3\n@right = input 3\n@left -> add { @left | @right }")


def model_of(graph):
    return target.emit(graph, random_weights(graph))


@pytest.fixture(scope="module")
def image():
    return open_session(model_of(IMAGE))


@pytest.fixture(scope="module")
def pair():
    return open_session(model_of(PAIR))


def identity(kind, shape=("N", 3)):
    """A model that gives back what it is given."""
    value = helper.make_tensor_value_info("x", kind, shape)
    result = helper.make_tensor_value_info("y", kind, shape)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [result])
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, ir_version=9, opset_imports=opset).SerializeToString()


def ids_of(error):
    return [diagnostic.id for diagnostic in error.value.diagnostics]


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_the_batch_axis_is_free(image, batch):
    assert image.run({"input": np.zeros((batch, 1, 8, 8), np.float32)})["output"].shape == (
        batch,
        4,
    )


def test_one_array_serves_one_input(image):
    x = np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(image.run(x)["output"], image.run({"input": x})["output"])


def test_one_array_does_not_serve_two_inputs(pair):
    with pytest.raises(SpecError, match="takes 2 inputs: name the array"):
        pair.run(np.zeros((1, 3), np.float32))


def test_the_session_describes_itself(pair):
    assert pair.provider == "cpu"
    assert pair.inputs == (("left", "float32", ("N", 3)), ("right", "float32", ("N", 3)))
    assert pair.outputs == ("output",)


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int64", "bool", ">f4"])
def test_numbers_are_cast_where_nothing_is_lost(dtype):
    runner = open_session(identity(TensorProto.FLOAT))
    x = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    y = runner.run(x)["y"]
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, x.astype(np.float32))


def test_float64_is_rounded():
    y = open_session(identity(TensorProto.FLOAT)).run(np.full((1, 3), 0.1))["y"]
    np.testing.assert_array_equal(y, np.full((1, 3), np.float32(0.1)))


def test_infinities_and_nans_pass():
    x = np.array([[np.inf, -np.inf, np.nan]])
    np.testing.assert_array_equal(open_session(identity(TensorProto.FLOAT)).run(x)["y"], x)


@pytest.mark.parametrize(
    "array",
    [
        np.array([[2**24 + 1, 0, 0]]),
        np.array([[2**63 - 1, 0, 0]]),
        np.array([[1e300, 0, 0]]),
    ],
)
def test_numbers_that_would_be_lost_are_refused(array):
    with pytest.raises(SpecError, match="does not hold all of the") as error:
        open_session(identity(TensorProto.FLOAT)).run(array)
    assert ids_of(error) == ["inexact-input"]


@pytest.mark.parametrize("dtype", ["complex64", "U3", "object", "datetime64[s]"])
def test_what_is_no_number_is_refused(dtype):
    with pytest.raises(SpecError, match="`x` takes float32, got") as error:
        open_session(identity(TensorProto.FLOAT)).run(np.zeros((1, 3), dtype))
    assert ids_of(error) == ["wrong-input-type"]


def test_integer_inputs_take_integers_that_fit():
    runner = open_session(identity(TensorProto.INT64))
    assert runner.run(np.array([[1, 2, 3]], np.uint8))["y"].dtype == np.int64
    with pytest.raises(SpecError, match="`x` takes int64, got float64"):
        runner.run(np.zeros((1, 3)))
    with pytest.raises(SpecError, match="does not hold all"):
        runner.run(np.array([[2**64 - 1, 0, 0]], np.uint64))


def test_a_double_model_takes_doubles():
    y = open_session(identity(TensorProto.DOUBLE)).run(np.full((1, 3), 0.1))["y"]
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, 0.1)


def test_a_type_that_numpy_lacks_is_refused():
    with pytest.raises(SpecError, match="takes string") as error:
        open_session(identity(TensorProto.STRING)).run(np.zeros((1, 3)))
    assert ids_of(error) == ["unsupported-input"]


@pytest.mark.parametrize(
    ("shape", "found", "message"),
    [
        ((1, 8, 8), "wrong-input-rank", "`input` takes N x 1 x 8 x 8, got 1 x 8 x 8"),
        ((), "wrong-input-rank", "`input` takes N x 1 x 8 x 8, got a single number"),
        ((2, 8, 8, 1), "wrong-input-size", "`input` takes N x 1 x 8 x 8, got 2 x 8 x 8 x 1"),
        ((2, 1, 8, 9), "wrong-input-size", "`input` takes N x 1 x 8 x 8, got 2 x 1 x 8 x 9"),
    ],
)
def test_a_wrong_shape_is_refused(image, shape, found, message):
    with pytest.raises(SpecError) as error:
        image.run(np.zeros(shape, np.float32))
    assert [(d.id, d.message) for d in error.value.diagnostics] == [(found, message)]


def test_a_missing_batch_axis_is_explained(image):
    with pytest.raises(SpecError) as error:
        image.run(np.zeros((1, 8, 8), np.float32))
    assert "x[None]" in error.value.diagnostics[0].help


def test_inputs_must_agree_on_the_batch(pair):
    with pytest.raises(SpecError, match="`right` has 3 along N, but `left` has 2"):
        pair.run({"left": np.zeros((2, 3)), "right": np.zeros((3, 3))})


def test_all_mistakes_are_told_at_once(pair):
    with pytest.raises(SpecError) as error:
        pair.run({"left": np.zeros((2, 4), complex), "rihgt": np.zeros((2, 3))})
    assert ids_of(error) == [
        *("missing-input", "unknown-input"),
        *("wrong-input-size", "wrong-input-type"),
    ]
    assert error.value.diagnostics[1].help == "did you mean `right`?"


def test_a_file_serves_as_well_as_bytes(tmp_path, image):
    path = tmp_path / "model.onnx"
    path.write_bytes(model_of(IMAGE))
    x = np.ones((1, 1, 8, 8), np.float32)
    for given in (path, str(path)):
        np.testing.assert_array_equal(open_session(given).run(x)["output"], image.run(x)["output"])


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(SpecError, match="cannot read") as error:
            open_session(path)
        assert ids_of(error) == ["unreadable-file"]


@pytest.mark.parametrize("content", [b"", b"no model", identity(TensorProto.FLOAT)[:-9]])
def test_what_is_no_model_is_told(content, tmp_path, capfd):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    for given in (content, path):
        with pytest.raises(SpecError, match="ONNX Runtime cannot load") as error:
            open_session(given)
        assert ids_of(error) == ["bad-model"]
    assert capfd.readouterr() == ("", "")


def test_the_runtime_logs_nothing(capfd):
    model = onnx.load_from_string(identity(TensorProto.FLOAT))
    model.graph.initializer.add(name="unused", dims=[1], data_type=1, float_data=[0.0])
    open_session(model.SerializeToString()).run(np.zeros((1, 3), np.float32))
    assert capfd.readouterr() == ("", "")


def test_a_model_newer_than_the_runtime_is_told():
    model = onnx.load_from_string(identity(TensorProto.FLOAT))
    model.opset_import[0].version = 999
    with pytest.raises(SpecError, match="ONNX Runtime cannot load the model"):
        open_session(model.SerializeToString())


def test_cuda_is_strict_where_the_runtime_was_built_without(monkeypatch, capfd):
    cpu = ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: cpu)
    with pytest.raises(ProviderUnavailable, match="built without CUDA") as error:
        open_session(model_of(IMAGE), "cuda")
    assert error.value.diagnostic.id == "provider-unavailable"
    assert "netspec-compiler[ort-gpu]" in error.value.diagnostic.help
    assert capfd.readouterr() == ("", "")


def without_device(create):
    """A `_create_inference_session` that drops CUDA and says nothing."""

    def quietly(self, providers, *more):
        del providers
        create(self, ["CPUExecutionProvider"], *more)

    return quietly


def with_failing_device(create):
    """The same of one that raises: `InferenceSession` would print this and fall back."""

    def raising(self, providers, *more):
        if providers == ["CUDAExecutionProvider"]:
            raise RuntimeError("cuda_call.cc CUDA failure 100: no CUDA-capable device ; GPU=-1 ;")
        create(self, providers, *more)

    return raising


@pytest.fixture(
    params=[
        (without_device, "no device, or no driver and libraries for it"),
        (with_failing_device, "CUDA failure 100: no CUDA-capable device"),
    ],
    ids=["quiet", "raising"],
)
def broken_cuda(request, monkeypatch):
    """What onnxruntime-gpu does without a device, in two ways. Gives the reason to be told."""
    pretend, reason = request.param
    session = onnxruntime.InferenceSession
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: both)
    real = session._create_inference_session
    monkeypatch.setattr(session, "_create_inference_session", pretend(real))
    return reason


def test_cuda_is_strict_where_there_is_no_device(broken_cuda, capfd):
    with pytest.raises(ProviderUnavailable) as error:
        open_session(model_of(IMAGE), "cuda")
    assert str(error.value).endswith(f"could not start CUDA: {broken_cuda}")
    assert "CUDA 13" in error.value.diagnostic.help
    assert capfd.readouterr() == ("", "")


def test_auto_says_what_it_took(broken_cuda, image, capfd):
    runner = open_session(model_of(IMAGE), "auto")
    assert runner.provider == "cpu"
    assert broken_cuda in runner.note
    assert capfd.readouterr() == ("", "")
    x = np.ones((1, 1, 8, 8), np.float32)
    np.testing.assert_array_equal(runner.run(x)["output"], image.run(x)["output"])


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu():
    model = model_of(IMAGE)
    x = np.random.default_rng(0).normal(size=(7, 1, 8, 8)).astype(np.float32)
    runner = open_session(model, "cuda")
    assert runner.provider == "cuda"
    np.testing.assert_allclose(
        runner.run(x)["output"], open_session(model).run(x)["output"], rtol=1e-3, atol=1e-3
    )


@pytest.mark.gpu
def test_auto_takes_cuda():
    runner = open_session(model_of(IMAGE), "auto")
    assert (runner.provider, runner.note) == ("cuda", None)
