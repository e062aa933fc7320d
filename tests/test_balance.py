"""Channels of unlike ranges are scaled to one before INT8, wherever the network computes the same all the same."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import graph_of

from netspec.backend import load_backend
from netspec.passes import Model
from netspec.quantization import quantize
from netspec.quantization.balance import balance, candidates
from netspec.quantization.convert import peaks
from netspec.quantization.data import Data
from netspec.weights import random_weights

UNEVEN = """
input 3 6 6 -> conv 4 3 padding=1 -> relu -> pool 2 -> conv 5 3 padding=1
@y = leaky_relu
out classes=(@y -> flatten -> dense 3), more=(@y -> conv 2 1)
"""


def uneven(text):
    """A network whose layers give channels of very different sizes, and a dead one."""
    graph = graph_of(text)
    weights = {name: array.astype(np.float64) for name, array in random_weights(graph, 0).items()}
    weights["conv1.weight"] *= np.array([1, 0.1, 30, 1])[:, None, None, None]
    weights["conv1.bias"] = np.array([0.0, 0, 0, -1])[: len(weights["conv1.bias"])]
    weights["conv1.weight"][3:] = 0
    return Model(graph, weights)


def test_channels_get_one_range():
    """Exactly, but for the dead one, and the network computes what it did."""
    model = uneven(UNEVEN)
    images = np.random.default_rng(0).normal(size=(40, 3, 6, 6)).astype(np.float32)
    data = Data({"input": images})
    before = peaks(model, data)
    assert before.keys() == {"relu1", "leaky_relu1"}
    balanced = balance(model, before)
    after = peaks(balanced, data)
    widest = before["relu1"].max() * np.array([1, 1, 1, 0])
    np.testing.assert_allclose(after["relu1"], widest, rtol=1e-5)
    np.testing.assert_allclose(after["leaky_relu1"], before["leaky_relu1"].max(), rtol=1e-5)
    reference = load_backend("reference")
    wanted, found = (
        reference.open_session(each.graph, each.weights, "float64").predict({"input": images})
        for each in (model, balanced)
    )
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, atol=1e-12 * np.abs(array).max())


@pytest.mark.parametrize(
    "text",
    [
        "input 3 6 6 -> conv 4 3 -> relu",
        "input 3 6 6\n@x = conv 4 3\nadd { @x -> relu -> conv 4 1 | @x }",
        "input 3 6 6 -> conv 4 3 -> relu -> sigmoid -> conv 2 3",
        "input 3 6 6\n@x = conv 4 3 -> relu\nadd { @x | @x -> conv 4 1 } -> gap",
        "share c = conv 3 3 padding=1\ninput 3 6 6 -> conv1: conv 4 3 -> conv 3 1 -> relu -> c -> relu -> c",
        "input 3 6 6 -> conv 4 3 -> tanh -> conv 2 3",
    ],
)
def test_where_channels_cannot_be_scaled_they_stay(text):
    model = uneven(text)
    seen = {node.name: np.arange(1.0, 1 + node.shape.axis("c")) for node in candidates(model.graph)}
    balanced = balance(model, seen)
    assert all(np.array_equal(balanced.weights[n], array) for n, array in model.weights.items())


def test_int8_of_unlike_channels_is_near_all_the_same():
    """Without balance a batch norm that was folded forward would cost most of the accuracy."""
    text = "input 3 12 12 -> conv 8 3 padding=1 -> relu -> bn -> conv 8 3 padding=1 -> relu -> gap -> dense 6"
    graph = graph_of(text)
    weights = dict(random_weights(graph, 0))
    small = np.geomspace(1e-3, 1, 8, dtype=np.float32)
    weights["conv1.weight"] = weights["conv1.weight"] * small[:, None, None, None]
    weights["conv1.bias"] = weights["conv1.bias"] * small
    weights["bn1.running_mean"] = weights["bn1.running_mean"] * small
    weights["bn1.running_var"] = weights["bn1.running_var"] * small**2
    images = np.random.default_rng(0).normal(size=(80, 3, 12, 12)).astype(np.float32)
    report = quantize(graph, weights, Data({"input": images}), rounds=0)
    (error,) = [each.after for each in report.findings if each.quantity == "error"]
    assert error < 0.03
