"""Which tensors an ONNX model holds flat: what is converted where, and that nothing else changes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from graphs import OPS_BY_EXAMPLE, draw_inputs, example_graph, graph_of

from netspec.backend import load_backend
from netspec.builder import GraphBuilder
from netspec.ops.input import Input
from netspec.runtime import open_session
from netspec.weights import random_weights

target = load_backend("onnx")
reference = load_backend("reference")

ENCODER = "net encoder(t=5) { input t 8\nrepeat 4 { encoder_layer 2 }\nOUTPUT }"

MIXED = """
net mixed(long=6, short=4) {
  @x = input long 8
  @memory = input short 6
  @scores = input long short
  @x -> dense 8 -> ln -> sinusoidal
  residual { attention 2 rotary=true -> dropout -> layer_scale: scale 0.5 }
  residual { attention 4 kv_heads=2 head_dim=4 mask=true { @ | @memory | @scores } }
  residual { sdpa 2 causal=true }
  @here = concat { @ | slice c 2 6 } -> swiglu
  @gate = @here -> dense 1 -> sigmoid
  mul { @here | @gate } -> dense 8 -> relu
  out @, flat=@here, pooled=(@ -> reduce_mean t -> softmax), again=@here, dropped=(@ -> dropout)
}
"""

WINDOWS = """
input 4 4 6
windows 2 -> ln -> residual { attention 2 } -> dense 8 -> gelu -> unwindows 4 6 -> conv 3 1
"""


def parsed(graph, **options):
    return onnx.load_from_string(target.emit(graph, random_weights(graph), **options))


def kinds(model):
    return Counter(node.op_type for node in model.graph.node)


def check(graph, opset, sizes, batch):
    """ONNX Runtime computes what the reference does."""
    weights = random_weights(graph)
    feeds = draw_inputs(graph, sizes, batch, seed=batch)
    found = open_session(target.emit(graph, weights, opset=opset)).run(feeds)
    wanted = reference.open_session(graph, weights, "float64").predict(feeds)
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        assert found[name].shape == expected.shape
        assert np.abs(found[name] - expected).max() <= 4e-6 * np.abs(expected).max(), name


@pytest.mark.parametrize(("opset", "moved"), [(17, 4 * 4 + 2), (20, 4 * 4 + 2), (23, 0)])
def test_an_encoder_is_taken_apart_at_its_attentions_alone(opset, moved):
    model = parsed(graph_of(ENCODER.replace("OUTPUT", "")), opset=opset)
    found = kinds(model)
    assert (found["Gemm"], found["Reshape"], found["Transpose"]) == (4 * 4, 4 * 2 + 2, moved)
    assert found["MatMul"] == (0 if opset == 23 else 4 * 2)


def test_values_are_declared_as_they_are_held():
    model = parsed(graph_of(ENCODER.replace("OUTPUT", "-> take 0")))
    stated = {
        info.name: [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]
        for info in (*model.graph.value_info, *model.graph.output)
    }
    assert stated["encoder_layer2.linear1"] == ["5*N", 32]
    assert stated["encoder_layer4.add2"] == ["5*N", 8]
    assert stated["output"] == ["N", 8]


def test_sizes_known_at_run_time_are_read_once():
    graph = graph_of(ENCODER.replace("t=5", "t=?T").replace("OUTPUT", ""))
    for opset, targets in ((20, 2), (23, 2)):
        found = kinds(parsed(graph, opset=opset))
        assert (found["Gemm"], found["Reshape"]) == (4 * 4, 4 * 2 + 2)
        assert (found["Shape"], found["Concat"]) == (2, targets)


@pytest.mark.parametrize("opset", [17, 23])
def test_an_encoder_of_any_length_agrees_with_the_reference(opset):
    text = ENCODER.replace("t=5", "t=?T").replace("OUTPUT", "")
    for batch, steps in ((1, 7), (3, 1)):
        check(graph_of(text), opset, {"T": steps}, batch)


@pytest.mark.parametrize("steps", [0, 3])
def test_no_steps_and_no_examples_are_no_harm(steps):
    graph = graph_of(ENCODER.replace("t=5", "t=?T").replace("OUTPUT", ""))
    runner = open_session(target.emit(graph, random_weights(graph)))
    for batch in (0, 2):
        (found,) = runner.run({"input": np.zeros((batch, steps, 8), np.float32)}).values()
        assert found.shape == (batch, steps, 8)


@pytest.mark.parametrize("opset", [17, 20, 23])
@pytest.mark.parametrize("text", [MIXED, WINDOWS], ids=["mixed", "windows"])
def test_a_mixed_network_agrees_with_the_reference(text, opset):
    for batch in (1, 3):
        check(graph_of(text), opset, {}, batch)


def test_what_reads_two_lengths_takes_each_apart_by_its_own():
    text = (
        MIXED.replace("long=6", "long=?T").replace("rotary=true", "").replace("-> sinusoidal", "")
    )
    for opset in (20, 23):
        check(graph_of(text), opset, {"T": 5}, 2)


def test_windows_keep_their_examples_first():
    found = kinds(parsed(graph_of(WINDOWS)))
    assert found["Gemm"] == 3
    assert found["Transpose"] == 2 + 4


def test_one_layer_is_converted_once_and_a_lone_norm_not_at_all():
    both = kinds(parsed(graph_of("input 5 8\nadd { dense 8 | dense 8 } -> ln -> gelu")))
    assert (both["Gemm"], both["Reshape"]) == (2, 2)
    assert kinds(parsed(graph_of("input 5 8\nln -> gelu -> add { @ | tanh }")))["Reshape"] == 0


def alone(op, shapes, *lead):
    """The op on vectors of these features, or on sequences of them."""
    builder = GraphBuilder("alone")
    inputs = [builder.add(Input(sizes=(*lead, shape.axis("c"))), []) for shape in shapes]
    return builder.finish([("y", builder.add(op, inputs))])


def test_what_is_positionwise_does_to_sequences_what_it_does_to_vectors():
    done = set()
    for op, example in OPS_BY_EXAMPLE:
        graph = example_graph(op, example)
        node = next(node for node in reversed(graph.nodes) if type(node.op) is op)
        shapes = graph.input_shapes(node)
        has_features = all("c" in shape.axes for shape in shapes)
        if not node.op.is_positionwise or op.borrows or node.op.is_random or not has_features:
            continue
        if "vector" not in op.accepts:
            assert node.op.is_identity(*shapes)
            continue
        sequence, vector = alone(node.op, shapes, 3), alone(node.op, shapes)
        weights = random_weights(sequence)
        draws = np.random.default_rng(0)
        feeds = {each.name: draws.random((2, *each.shape.sizes)) + 0.1 for each in sequence.inputs}
        flat = {name: array.reshape(6, -1) for name, array in feeds.items()}
        found, wanted = (
            reference.open_session(net, weights, "float64").predict(given)["y"]
            for net, given in ((sequence, feeds), (vector, flat))
        )
        np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-12, err_msg=op.kind)
        done.add(op)
    assert {op for op, _ in OPS_BY_EXAMPLE if op.elementwise or op.positionwise} - done == {
        op for op, _ in OPS_BY_EXAMPLE if op.borrows
    }
