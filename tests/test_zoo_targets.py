"""The zoo on every target: a small member of each family, and Keras's own models beside ours."""

from __future__ import annotations

import re
from pathlib import Path

import keras_worker
import numpy as np
import onnx
import pytest
from graphs import draw_inputs
from keras_process import process
from small import ZOO, ZOO_SIZES, zoo_member

import netspec
from netspec.backend import load_backend
from netspec.parity.limits import FLOAT64, inference_limit
from netspec.weights import init_weights, random_weights

FILES = Path(__file__).parent.parent / "examples" / "zoo"

OTHERS = {"convnext", "ddpm", "llama", "lstm_tagger", "retinanet", "swin", "t5", "vit", "yolov8"}
CNNS = sorted(ZOO.keys() - OTHERS)
"""But for ConvNeXt: the dense layers of its blocks want the channels last, in PyTorch's own model too; detectors
list places."""


@pytest.fixture(scope="module")
def keras():
    with process("tensorflow") as call:
        yield call


def error(found, wanted):
    """The worst of all outputs, each against its largest number."""
    assert found.keys() == wanted.keys()
    return max(np.abs(found[name] - y).max() / np.abs(y).max() for name, y in wanted.items())


def test_every_family_is_here():
    assert ZOO.keys() == {path.stem for path in FILES.glob("*.net")}


@pytest.mark.slow
@pytest.mark.parametrize("family", ZOO)
def test_every_target_gives_the_same_numbers(keras, family):
    graph = zoo_member(family)
    weights = random_weights(graph)
    feeds = draw_inputs(graph, ZOO_SIZES.get(family, {}), batch=2)

    def predict(target, precision):
        return load_backend(target).open_session(graph, weights, precision).predict(feeds)

    truth = predict("reference", "float64")
    assert error(predict("torch", "float64"), truth) <= FLOAT64
    torch = error(predict("torch", "float32"), truth)
    assert torch <= inference_limit(error(predict("reference", "float32"), truth))
    assert error(predict("onnx", "float32"), truth) <= inference_limit(torch)
    (found,), _ = keras(keras_worker.examine, graph, weights, "float32", [feeds], None)
    assert error(found, truth) <= inference_limit(torch)


@pytest.mark.parametrize("family", CNNS)
def test_no_cnn_moves_its_axes_before_its_head(family):
    """The head's flatten takes the channels first, which Keras holds last."""
    graph = zoo_member(family)
    model = onnx.load_from_string(load_backend("onnx").emit(graph, init_weights(graph)))
    assert not [node.name for node in model.graph.node if node.op_type == "Transpose"]
    source = load_backend("keras").emit(graph, None).decode()
    flattens = sum(node.op.kind == "flatten" for node in graph.nodes)
    assert source.count("layers.Permute") + source.count("ops.transpose") <= flattens


# Of a model of keras.applications: our net, all numbers that it is published to hold, and what its layers are
# called where that is not what ours are, with `_` for dots.
APPLICATIONS = {
    "MobileNet": ("mobilenet_v1", "mobilenet", 4_253_864, (r"^conv_(\d+)_(dw|pw)", r"conv_\2_\1")),
    "Xception": ("xception", "xception", 22_910_480, (r"^$", "")),
    "ResNet50V2": (
        "resnet_v2",
        "resnet50_v2",
        25_613_800,
        (r"(block\d+)_(conv|bn)(\d)$", r"\1_\3_\2"),
    ),
    "InceptionResNetV2": (
        "inception_resnet_v2",
        "inception_resnet_v2",
        55_873_736,
        (r"^conv_7b_conv$", "conv_7b"),
    ),
}
VARIABLES = {
    "conv": {"weight": "kernel", "bias": "bias"},
    "dense": {"weight": "kernel", "bias": "bias"},
    "bn": {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    },
    "shift": {"": "beta"},
}


def as_keras(graph, weights, rename):
    """The arrays by Keras's names of layers and variables, in its layouts.

    Two of our layers may be one there: the halves of a separable convolution, a norm and its shift.
    """
    found = {}
    for node in graph.nodes:
        for name, weight in graph.weights_of(node):
            array, variable = weights[name], VARIABLES[node.op.kind][weight.name]
            layer, _, part = node.name.rpartition(".")
            if part in ("depthwise", "pointwise"):
                variable = f"{part}_kernel"
            elif node.op.kind == "shift":
                layer, array = f"{layer}_bn", array.reshape(-1)
            else:
                layer = node.name
            if array.ndim == 4:
                array = array.transpose((2, 3, 0, 1) if node.op.groups > 1 else (2, 3, 1, 0))
            layer = re.sub(*rename, layer.replace(".", "_"))
            found.setdefault(layer, {})[variable] = array.T if array.ndim == 2 else array
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_net_is_keras_applications(keras, name):
    """With our weights under its names a model of Keras gives the reference's numbers."""
    file, net, count, rename = APPLICATIONS[name]
    graph = netspec.load(FILES / f"{file}.net", net=net, input_shape=(3, 75, 75))
    weights = random_weights(graph)
    feeds = draw_inputs(graph, {}, batch=1)
    image = feeds["input"].transpose(0, 2, 3, 1).astype("float64")
    arrays = as_keras(graph, weights, rename)
    found, held = keras(keras_worker.application, name, 75, arrays, image)
    assert held == count == sum(weight.size for weight in weights.values())
    truth = load_backend("reference").open_session(graph, weights, "float64").predict(feeds)
    assert error({"output": found}, truth) <= FLOAT64
