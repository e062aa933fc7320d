"""The reference by itself. Every op's numbers are held to PyTorch's where its own target is tested."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from graphs import OPS_BY_EXAMPLE, example_graph, example_id, fit, graph_of
from scipy.special import ndtr
from torch.nn import functional as F  # noqa: N812 (its usual name)

from netspec.backend import load_backend
from netspec.backends.reference.ops import conv as conv_rows
from netspec.backends.reference.ops.activation import normal_cdf
from netspec.backends.reference.rows import Applied
from netspec.diagnostics import SpecError
from netspec.ops import all_ops
from netspec.weights import random_weights

reference = load_backend("reference")


def assert_close(found, wanted):
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-11, atol=1e-11)


def test_a_step_leaves_the_session_as_it_was():
    graph = graph_of("input 3 4 4 -> bn")
    session = reference.open_session(graph, random_weights(graph), "float64")
    inputs = {"input": np.random.default_rng(0).normal(size=(4, 3, 4, 4))}
    before = session.predict(inputs)["output"]
    session.train_step(inputs, {"output": inputs["input"]})
    assert np.array_equal(session.predict(inputs)["output"], before)


@pytest.mark.parametrize(("op", "example"), OPS_BY_EXAMPLE, ids=example_id)
def test_float32_stays_float32(op, example):
    graph = example_graph(op, example)
    session = reference.open_session(graph, random_weights(graph), "float32")
    generator = np.random.default_rng(0)
    inputs = {
        n.name: fit(graph, n, generator.normal(size=(5, *n.shape.sizes))) for n in graph.inputs
    }
    outputs = session.predict(inputs)
    step = session.train_step(inputs, outputs)
    for arrays in (outputs, *step):
        assert all(array.dtype == np.float32 for array in arrays.values())


def test_normal_cdf_is_exact():
    """To the last digit where it matters; in the far tail as well as its argument is known."""
    x = np.linspace(-30, 30, 1001).reshape(7, 143)
    error = np.abs(normal_cdf(x) - ndtr(x))
    assert error.max() < 3e-16
    assert (error <= 1e-15 * (1 + x * x) * ndtr(x)).all()


def test_small_blocks_give_the_same_convolution(monkeypatch):
    graph = graph_of("input 4 9 8 -> conv 6 3 groups=2 stride=(2, 1) padding=1 dilation=2")
    session = reference.open_session(graph, random_weights(graph), "float64")
    generator = np.random.default_rng(0)
    inputs = {"input": generator.normal(size=(2, 4, 9, 8))}
    cotangents = {"output": generator.normal(size=(2, *graph.nodes[-1].shape.sizes))}
    whole = session.train_step(inputs, cotangents)
    monkeypatch.setattr(conv_rows, "_BLOCK", 1)
    rows = session.train_step(inputs, cotangents)
    assert_close(rows.outputs, whole.outputs)
    assert_close(rows.gradients, whole.gradients)


@pytest.mark.parametrize(("line", "padding"), [("pool 2", 0), ("pool 2 padding=1", 1)])
def test_the_first_of_equal_maxima_takes_the_gradient(line, padding):
    graph = graph_of(f"input 1 4 4 -> {line}")
    (node,) = graph.nodes[1:]
    x = np.zeros((1, 1, 4, 4))
    result = reference.ROWS[node.op](node.op, Applied((x,), (graph.nodes[0].shape,), {}, True))
    fed = torch.tensor(x, requires_grad=True)
    y = F.max_pool2d(fed, 2, padding=padding)
    cotangent = np.arange(1.0, 1 + y.numel()).reshape(y.shape)
    y.backward(torch.tensor(cotangent))
    assert np.array_equal(result.pullback(cotangent).inputs[0], fed.grad.numpy())


def test_max_pool_lets_nan_through():
    graph = graph_of("input 1 2 2 -> pool 2")
    session = reference.open_session(graph, {}, "float64")
    for place in np.ndindex(2, 2):
        x = np.ones((1, 1, 2, 2))
        x[0, 0][place] = np.nan
        assert np.isnan(session.predict({"input": x})["output"]).all()


def test_a_misshapen_input_is_refused():
    graph = graph_of("input 3 4 4 -> bn")
    session = reference.open_session(graph, random_weights(graph), "float64")
    with pytest.raises(ValueError, match=r"`input` takes \(batch, 3 x 4 x 4\), got \(2, 4, 4, 3\)"):
        session.predict({"input": np.ones((2, 4, 4, 3))})


def test_one_value_for_each_channel_cannot_train():
    graph = graph_of("input 3 -> bn")
    session = reference.open_session(graph, random_weights(graph), "float64")
    with pytest.raises(ValueError, match="more than one value"):
        session.train_step({"input": np.ones((1, 3))}, {"output": np.ones((1, 3))})


@pytest.mark.parametrize("ask", [reference.emit, reference.build])
def test_it_emits_nothing(ask):
    with pytest.raises(SpecError, match="emits nothing"):
        ask(graph_of("input 3 -> relu"), {})


def test_it_has_a_row_for_every_op_but_the_input():
    assert [op.kind for op in all_ops() if op not in reference.ROWS] == ["input"]
