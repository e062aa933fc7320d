"""The reference against PyTorch in float64: every op, both ways, in inference and in training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from graphs import OPS_BY_EXAMPLE, example_graph, example_id, graph_of
from scipy.special import ndtr
from torch.nn import functional as F  # noqa: N812 (its usual name)

from netspec.backend import load_backend
from netspec.backends.reference import conv as conv_rows
from netspec.backends.reference.activation import normal_cdf
from netspec.backends.reference.rows import Applied
from netspec.diagnostics import SpecError
from netspec.ops import Input, all_ops
from netspec.shape import Shape, split_pads
from netspec.weights import random_weights

reference = load_backend("reference")

LAYERS = [(op, example) for op, example in OPS_BY_EXAMPLE if op is not Input]


def pad(x, op, value=0.0):
    """`F.pad` lists the last axis first."""
    flat = [n for pair in reversed(split_pads(op.padding)) for n in pair]
    return F.pad(x, flat, value=value)


def is_symmetric(op):
    return all(before == after for before, after in split_pads(op.padding))


def befores(op):
    return tuple(before for before, _ in split_pads(op.padding))


def torch_conv(op, weights, training, x):
    del training
    function = F.conv2d if x.ndim == 4 else F.conv3d
    bias = weights.get("bias")
    return function(pad(x, op), weights["weight"], bias, op.stride, 0, op.dilation, op.groups)


def torch_conv_transpose(op, weights, training, x):
    """The whole transpose, cropped by hand."""
    del training
    function = F.conv_transpose2d if x.ndim == 4 else F.conv_transpose3d
    y = function(
        x,
        weights["weight"],
        weights.get("bias"),
        op.stride,
        0,
        op.output_padding,
        op.groups,
        op.dilation,
    )
    crops = [slice(a, n - b) for (a, b), n in zip(split_pads(op.padding), y.shape[2:], strict=True)]
    return y[(..., *crops)]


def torch_max_pool(op, weights, training, x):
    del weights, training
    function = F.max_pool2d if x.ndim == 4 else F.max_pool3d
    if is_symmetric(op) and all(2 * p <= k for p, k in zip(befores(op), op.kernel, strict=True)):
        return function(x, op.kernel, op.stride, befores(op), ceil_mode=op.ceil)
    assert not op.ceil
    return function(pad(x, op, -torch.inf), op.kernel, op.stride)


def torch_average_pool(op, weights, training, x):
    del weights, training
    function = F.avg_pool2d if x.ndim == 4 else F.avg_pool3d
    if is_symmetric(op):
        return function(x, op.kernel, op.stride, befores(op), op.ceil, op.count_padding)
    assert not op.ceil
    y = function(pad(x, op), op.kernel, op.stride)
    share = function(pad(torch.ones_like(x), op), op.kernel, op.stride)
    return y if op.count_padding else y / share


def torch_batch_norm(op, weights, training, x):
    return F.batch_norm(
        x,
        weights["running_mean"],
        weights["running_var"],
        weights.get("weight"),
        weights.get("bias"),
        training,
        op.momentum,
        op.eps,
    )


def torch_multiply(*xs):
    whole = max(x.ndim for x in xs)
    product = torch.ones((), dtype=xs[0].dtype)
    for x in xs:
        product = product * x.reshape(*x.shape, *(1,) * (whole - x.ndim))
    return product


def plain(function: Callable[..., torch.Tensor]):
    """A function of tensors alone."""
    return lambda _op, _weights, _training, *xs: function(*xs)


def features(x):
    return 2 if x.ndim == 3 else 1


ORACLE: dict[str, Callable[..., torch.Tensor]] = {
    "add": plain(lambda *xs: sum(xs[1:], xs[0])),
    "avgpool": torch_average_pool,
    "bn": torch_batch_norm,
    "concat": lambda op, _w, _t, *xs: torch.cat(
        xs, 1 + Shape.of(*xs[0].shape[1:]).axes.index(op.axis)
    ),
    "conv": torch_conv,
    "conv_transpose": torch_conv_transpose,
    "dense": lambda _op, w, _t, x: F.linear(x, w["weight"], w.get("bias")),
    "dropout": plain(lambda x: x),
    "flatten": plain(lambda x: x.flatten(1)),
    "gap": plain(lambda x: x.mean(tuple(range(2, x.ndim)))),
    "gelu": lambda op, _w, _t, x: F.gelu(x, approximate="tanh" if op.form == "tanh" else "none"),
    "leaky_relu": lambda op, _w, _t, x: F.leaky_relu(x, op.slope),
    "log_softmax": plain(lambda x: F.log_softmax(x, features(x))),
    "max": plain(lambda *xs: torch.stack(xs).amax(0)),
    "mean": plain(lambda *xs: torch.stack(xs).mean(0)),
    "mul": plain(torch_multiply),
    "pool": torch_max_pool,
    "relu": plain(F.relu),
    "relu6": plain(F.relu6),
    "sigmoid": plain(torch.sigmoid),
    "silu": plain(F.silu),
    "softmax": plain(lambda x: F.softmax(x, features(x))),
    "sub": plain(lambda *xs: xs[0] - sum(xs[1:])),
    "tanh": plain(torch.tanh),
}


def assert_close(found, wanted, limit=1e-12):
    """The same names and shapes, and every tensor within `limit` of its own largest value."""
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        assert found[name].shape == expected.shape, name
        assert found[name].dtype == np.float64, name
        assert np.abs(found[name] - expected).max() <= limit * np.abs(expected).max(), name


def tensors_of(graph, weights):
    """A graph's weights as float64 tensors, those that train with room for a gradient."""
    return {
        name: torch.tensor(weights[name], dtype=torch.float64, requires_grad=weight.trainable)
        for name, weight in graph.weights()
    }


def numbered(arrays):
    return {str(index): array for index, array in enumerate(arrays)}


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize(("op", "example"), LAYERS, ids=example_id)
def test_every_op_agrees_with_torch(op, example, training):
    graph = example_graph(op, example)
    node = graph.nodes[-1]
    assert isinstance(node.op, op)
    shapes = graph.input_shapes(node)
    generator = np.random.default_rng(0)
    inputs = tuple(generator.normal(size=(5, *shape.sizes)) for shape in shapes)
    cotangent = generator.normal(size=(5, *node.shape.sizes))
    weights = {n: a.astype(np.float64) for n, a in random_weights(graph).items()}
    owned = {weight.name: weights[name] for name, weight in graph.weights_of(node)}

    result = reference.ROWS[node.op](node.op, Applied(inputs, shapes, owned, training))
    pulled = result.pullback(cotangent)

    tensors = tensors_of(graph, weights)
    given = {weight.name: tensors[name] for name, weight in graph.weights_of(node)}
    fed = [torch.tensor(array, requires_grad=True) for array in inputs]
    wanted = ORACLE[op.kind](node.op, given, training, *fed)
    wanted.backward(torch.tensor(cotangent))
    assert_close({"output": result.output}, {"output": wanted.detach().numpy()})
    assert_close(numbered(pulled.inputs), numbered(x.grad.numpy() for x in fed))
    assert_close(pulled.weights, {n: w.grad.numpy() for n, w in given.items() if w.requires_grad})
    moved = {n: w.numpy() for n, w in given.items() if training and not w.requires_grad}
    assert_close(result.statistics, moved)


NETWORK = """
net tangle(classes=4) {
  input 2 9 8
  stem: conv 6 3 padding=1 bias=false -> bn -> relu
  @skip = @
  add { conv 6 3 padding=half bias=false -> bn -> silu | @ | mul { @ | gap -> dense 6 -> sigmoid } }
  -> concat { @ | @skip | avgpool 3 stride=1 padding=1 }
  @deep = @ -> pool 2 -> dense 8 bias=false -> gelu -> dropout 0.5 -> bn
  @deep -> dense classes
  out logits=@, embedding=@deep
}
"""


def test_a_network_agrees_with_torch():
    """Values with several readers, several outputs, one of which others read."""
    graph = graph_of(NETWORK)
    weights = random_weights(graph)
    generator = np.random.default_rng(0)
    inputs = {"input": generator.normal(size=(3, 2, 9, 8))}
    sizes = {output.name: graph.by_name[output.node].shape.sizes for output in graph.outputs}
    cotangents = {name: generator.normal(size=(3, *size)) for name, size in sizes.items()}
    session = reference.open_session(graph, weights, "float64")

    def run(training):
        tensors = tensors_of(graph, weights)
        values = {}
        for node in graph.nodes:
            if node.op.kind == "input":
                values[node.name] = torch.tensor(inputs[node.name], requires_grad=training)
                continue
            owned = {weight.name: tensors[name] for name, weight in graph.weights_of(node)}
            given = [values[source] for source in node.inputs]
            values[node.name] = ORACLE[node.op.kind](node.op, owned, training, *given)
        outputs = {output.name: values[output.node] for output in graph.outputs}
        return tensors, values, outputs, {name: y.detach().numpy() for name, y in outputs.items()}

    assert_close(session.predict(inputs), run(training=False)[3])
    tensors, values, outputs, wanted = run(training=True)
    sum((outputs[name] * torch.tensor(dy)).sum() for name, dy in cotangents.items()).backward()
    step = session.train_step(inputs, cotangents)
    assert_close(step.outputs, wanted)
    learned = {**tensors, **{node.name: values[node.name] for node in graph.inputs}}
    assert_close(step.gradients, {n: t.grad.numpy() for n, t in learned.items() if t.requires_grad})
    assert_close(step.statistics, {n: t.numpy() for n, t in tensors.items() if not t.requires_grad})


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
    inputs = {n.name: generator.normal(size=(5, *n.shape.sizes)) for n in graph.inputs}
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


def test_the_first_of_equal_maxima_takes_the_gradient():
    for line in ("pool 2", "pool 2 padding=1 ceil=true"):
        graph = graph_of(f"input 1 4 4 -> {line}")
        (node,) = graph.nodes[1:]
        x = np.zeros((1, 1, 4, 4))
        result = reference.ROWS[node.op](node.op, Applied((x,), (graph.nodes[0].shape,), {}, True))
        fed = torch.tensor(x, requires_grad=True)
        y = torch_max_pool(node.op, {}, True, fed)
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
