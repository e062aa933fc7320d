"""The torch target's numbers: every op against the float64 reference, and what training does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from graphs import (
    HYPHENATED,
    NUMBERED,
    RECURSIVE,
    assert_close,
    chain,
    examples_graph,
    fit,
    graph_of,
)
from torch_networks import LAYOUTS, OPTIONS, TANGLE

import netspec
from netspec.backend import load_backend
from netspec.diagnostics import SpecError
from netspec.ops import all_ops
from netspec.weights import init_weights, random_weights

target = load_backend("torch")
reference = load_backend("reference")

RESNET = "examples/resnet18.net"
OPS = [op for op in all_ops() if op.kind != "input"]
BATCHES = (1, 2, 7)

INEXACT = ("celu", "hardsigmoid")
"""PyTorch's derivative of these holds a constant in float32, in a float64 module too."""


def feeds_for(graph, batch):
    draws = np.random.default_rng(batch)
    return {
        node.name: fit(graph, node, draws.normal(size=(batch, *node.shape.sizes)))
        for node in graph.inputs
    }


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.kind)
def test_every_op_computes_what_the_reference_does(op):
    graph = examples_graph(op, target)
    weights = random_weights(graph)
    session = target.open_session(graph, weights, "float64")
    oracle = reference.open_session(graph, weights, "float64")
    for batch in BATCHES:
        feeds = feeds_for(graph, batch)
        assert_close(session.predict(feeds), oracle.predict(feeds), 1e-12)


LARGER = """
block b {{ {line} }}
@small = input {small}{dtype}
@large = input {large}{dtype}
@x = @small -> b
@y = @large -> b
out x=@x, y=@y
"""


@pytest.mark.parametrize("op", [op for op in OPS if not op.merges], ids=lambda op: op.kind)
def test_a_block_of_every_op_is_right_at_all_its_sizes(op):
    """One class serves instances that differ in sizes: what its code says must be right for each."""
    dtype = "" if "float" in op.dtypes else " dtype=int"
    for line, (sizes, *_), _ in op.examples:
        small, large = (" ".join(str(size + more) for size in sizes) for more in (0, 1))
        try:
            graph = graph_of(LARGER.format(line=line, small=small, large=large, dtype=dtype))
        except SpecError:
            continue
        if any(target.ROWS.reason_against(graph, node) for node in graph.nodes):
            continue
        weights, feeds = random_weights(graph), feeds_for(graph, 2)
        found = target.open_session(graph, weights, "float64").predict(feeds)
        wanted = reference.open_session(graph, weights, "float64").predict(feeds)
        assert_close(found, wanted, 1e-7)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.kind)
def test_every_op_trains_as_the_reference_does(op):
    check_training(examples_graph(op, target), 1e-7 if op.kind in INEXACT else 1e-10)


@pytest.mark.parametrize(
    "text",
    [TANGLE, OPTIONS, HYPHENATED, RECURSIVE],
    ids=["tangle", "options", "hyphenated", "recursive"],
)
def test_a_network_trains_as_the_reference_does(text):
    check_training(graph_of(text))


def check_training(graph, limit=1e-10):
    weights = random_weights(graph)
    feeds = feeds_for(graph, 7)
    draws = np.random.default_rng(0)
    sizes = {output.name: graph.by_name[output.node].shape.sizes for output in graph.outputs}
    cotangents = {name: draws.normal(size=(7, *size)) for name, size in sizes.items()}
    step = target.open_session(graph, weights, "float64").train_step(feeds, cotangents)
    oracle = reference.open_session(graph, weights, "float64").train_step(feeds, cotangents)
    assert_close(step.outputs, oracle.outputs, 1e-12)
    assert_close(step.gradients, oracle.gradients, limit)
    assert_close(step.statistics, oracle.statistics, 1e-12)


def test_weights_go_in_and_come_out_unchanged():
    graph = netspec.load(RESNET, input_shape=(3, 32, 32))
    weights = random_weights(graph)
    module = netspec.build(graph, target="torch", weights=weights)
    found = netspec.get_weights(module, graph, target="torch")
    assert found.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_live_module_takes_other_weights_and_no_wrong_ones():
    graph = netspec.load("examples/n3.net")
    module = netspec.build(graph, target="torch", seed=0)
    weights = init_weights(graph, 1)
    netspec.set_weights(module, graph, weights, target="torch")
    found = netspec.get_weights(module, graph, target="torch")
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)
    del weights["dense1.bias"]
    with pytest.raises(SpecError, match=r"the weights lack `dense1\.bias`"):
        netspec.set_weights(module, graph, weights, target="torch")
    with pytest.raises(SpecError, match=r"the model's weights lack `conv1\.weight`"):
        netspec.get_weights(module, netspec.load("examples/n4.net"), target="torch")


def test_the_same_seed_gives_the_initial_weights():
    graph = netspec.load("examples/n2.net")
    module = netspec.build(graph, target="torch", seed=3)
    found = netspec.get_weights(module, graph, target="torch")
    for name, array in init_weights(graph, 3).items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("text", LAYOUTS)
def test_layouts_compute_what_the_reference_does(text):
    graph = graph_of(text)
    weights = random_weights(graph)
    feeds = feeds_for(graph, 2)
    found = target.open_session(graph, weights, "float64").predict(feeds)
    assert_close(found, reference.open_session(graph, weights, "float64").predict(feeds), 1e-12)
    module = netspec.build(graph, target="torch", weights=weights)
    counters = {f"{node.name}.num_batches_tracked" for node in graph.nodes}
    assert module.state_dict().keys() - counters == weights.keys()


def test_dropout_trains_and_vanishes_at_inference():
    module = netspec.build(graph_of("input 1000 -> dropout 0.25"), target="torch")
    ones = torch.ones(8, 1000)
    assert torch.equal(module(ones), ones)
    torch.manual_seed(0)
    values = module.train()(ones)
    assert values.unique().tolist() == pytest.approx([0, 4 / 3])
    assert values.mean().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("line", "shape", "together"),
    [
        ("spatial_dropout 0.25", (20, 3, 2), (2, 3)),
        ("spatial_dropout 0.25", (6, 20), (1,)),
        ("spatial_dropout 0.25", (20, 2, 2, 2), (2, 3, 4)),
        ("drop_path 0.25", (20, 3, 2), (1, 2, 3)),
        ("drop_path 0.25", (6, 20), (1, 2)),
        ("drop_path 0.25", (20,), (1,)),
    ],
)
def test_dropout_drops_what_belongs_together(line, shape, together):
    size = " ".join(map(str, shape))
    module = netspec.build(graph_of(f"input {size} -> {line}"), target="torch")
    ones = torch.ones(4000 if "path" in line else 200, *shape)
    assert torch.equal(module(ones), ones)
    torch.manual_seed(0)
    values = module.train()(ones)
    assert torch.equal(values.amin(together), values.amax(together))
    assert values.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (values == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)


def test_alpha_dropout_keeps_mean_and_variance():
    module = netspec.build(graph_of("input 4000 -> alpha_dropout 0.3"), target="torch")
    torch.manual_seed(0)
    values = module.train()(torch.randn(50, 4000))
    assert values.mean().item() == pytest.approx(0, abs=0.02)
    assert values.var().item() == pytest.approx(1, abs=0.02)
    common, counts = values.unique(return_counts=True)
    assert counts.max().item() / values.numel() == pytest.approx(0.3, abs=0.01)
    assert common[counts.argmax()] < -1


def test_a_step_drops_every_example_at_rate_one():
    module = netspec.build(graph_of("input 3 -> drop_path 1"), target="torch").train()
    assert torch.equal(module(torch.ones(5, 3)), torch.zeros(5, 3))


def test_emitted_modules_are_exportable():
    check_export(netspec.load(RESNET, input_shape=(3, 64, 64)))


def test_numbered_modules_are_exportable():
    check_export(graph_of(NUMBERED))


def check_export(graph):
    module = netspec.build(graph, target="torch")
    x = torch.randn(2, *graph.inputs[0].shape.sizes)
    with torch.no_grad():
        wanted = module(x)
        exported = torch.export.export(module, (x,)).module()
        torch.testing.assert_close(exported(x), wanted)


def test_a_thousand_layers_compute_and_train():
    check_training(chain("input 4", "repeat 334 { residual { dense 4 -> times 0.01 } }"))
