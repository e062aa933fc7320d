"""The ONNX target: every op against the float64 reference, and the model's own form."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import numpy as np
import onnx
import pytest
from graphs import assert_close, chain, examples_graph, fit, graph_of

from netspec.backend import load_backend
from netspec.backends.onnx.graph import assemble, serialize
from netspec.backends.onnx.rows import IR_VERSIONS
from netspec.backends.onnx.session import ReferenceSession
from netspec.builder import GraphBuilder
from netspec.diagnostics import SpecError
from netspec.ir import Output
from netspec.ops import all_ops
from netspec.ops.activation.rectifiers import Relu
from netspec.ops.conv import Conv
from netspec.ops.dense import Dense
from netspec.ops.dropout import Dropout
from netspec.ops.input import Input
from netspec.passes import Model
from netspec.passes.deterministic import deterministic
from netspec.runtime import open_session
from netspec.weights import random_weights

target = load_backend("onnx")
reference = load_backend("reference")

BATCHES = (1, 2, 7)
OF_FEW = ("ln",)
"""Examples that normalise two or three numbers: where these lie close together, float32 loses digits."""
OPSETS = (17, 20, 23)

SCALED_IN_FLOAT32 = ("resize", "upsample")
"""ONNX's own evaluator finds the places of these in float32, in a float64 model too."""

CNN = """
input 3 16 16
conv 8 3 padding=same -> bn -> relu -> pool 2
residual { conv 8 3 groups=2 padding=1 bias=false -> bn -> gelu }
mul { @ | gap -> dense 8 -> sigmoid }
avgpool 3 stride=2 padding=1 ceil=true -> conv_transpose 4 2 stride=2
dense 12 -> dropout 0.5 -> dense 5 -> softmax
"""


def feeds_for(graph, batch):
    """Normal numbers, with some large enough to saturate and some zeros."""
    draws = np.random.default_rng(batch)
    return {
        node.name: fit(
            graph, node, draws.normal(0, draws.choice([0, 1, 1, 6], (batch, *node.shape.sizes)))
        )
        for node in graph.inputs
    }


def singles(feeds):
    """The floats as float32."""
    return {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in feeds.items()}


def parsed(graph, **options):
    return onnx.load_from_string(target.emit(graph, random_weights(graph), **options))


def kinds(model):
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize("op", tuple(all_ops()))
def test_every_op_has_a_row(op):
    assert op in target.ROWS


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("op", tuple(all_ops()), ids=lambda op: op.kind)
def test_onnx_runtime_agrees_with_the_reference(op, opset):
    graph = deterministic(Model(examples_graph(op, target))).graph
    weights = random_weights(graph)
    runner = open_session(target.emit(graph, weights, opset=opset))
    oracle = reference.open_session(graph, weights, "float64")
    for batch in BATCHES:
        feeds = feeds_for(graph, batch)
        rounded = singles(feeds)
        limit = 6e-6 if op.kind in OF_FEW else 2e-6
        assert_close(runner.run(rounded), oracle.predict(rounded), limit)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("op", tuple(all_ops()), ids=lambda op: op.kind)
def test_the_double_model_agrees_with_the_reference(op, opset):
    graph = deterministic(Model(examples_graph(op, target))).graph
    weights = random_weights(graph)
    model = assemble(graph, weights, opset=opset, double=True)
    serialize(model)
    session = ReferenceSession(model)
    oracle = reference.open_session(graph, weights, "float64")
    for batch in BATCHES:
        feeds = feeds_for(graph, batch)
        limit = 1e-6 if op.kind in SCALED_IN_FLOAT32 else 1e-7
        assert_close(session.predict(feeds), oracle.predict(feeds), limit)


@pytest.mark.parametrize(("precision", "limit"), [("float32", 2e-6), ("float64", 1e-7)])
def test_a_network_agrees_with_the_reference(precision, limit):
    graph = graph_of(CNN)
    weights = random_weights(graph)
    session = target.open_session(graph, weights, precision)
    oracle = reference.open_session(graph, weights, "float64")
    for batch in BATCHES:
        feeds = singles(feeds_for(graph, batch))
        found = session.predict(feeds)
        assert {array.dtype.name for array in found.values()} == {precision}
        assert_close(found, oracle.predict(feeds), limit)


@pytest.mark.parametrize("opset", IR_VERSIONS)
def test_opset_and_ir_version_are_explicit(opset):
    model = parsed(graph_of(CNN), opset=opset)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert model.ir_version == IR_VERSIONS[opset]


def test_the_default_opset_is_20():
    model = parsed(graph_of(CNN))
    assert (model.opset_import[0].version, model.ir_version) == (20, 9)


@pytest.mark.parametrize("opset", [16, 25])
def test_an_opset_out_of_range_is_refused(opset):
    with pytest.raises(SpecError, match=f"opset {opset} is not one of 17 to 24"):
        parsed(graph_of(CNN), opset=opset)


def test_names_are_the_specs():
    graph = graph_of(CNN)
    model = parsed(graph)
    wanted = [node.name for node in graph.nodes if node.op.kind not in ("input", "dropout")]
    assert [node.name for node in model.graph.node if "/" not in node.name] == wanted
    stored = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    own = {name: shape for name, shape in stored.items() if "/" not in name}
    assert own == {name: weight.shape for name, weight in graph.weights()}
    values = [node.output[0] for node in model.graph.node]
    assert len(set(values)) == len(values)
    assert values[-1] == "output"


def test_weights_are_stored_as_they_are():
    graph = graph_of(CNN)
    weights = random_weights(graph)
    model = onnx.load_from_string(target.emit(graph, weights))
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name, array in weights.items():
        np.testing.assert_array_equal(stored[name], array, strict=True)


def test_the_batch_is_symbolic_and_every_shape_is_stated():
    graph = graph_of(CNN)
    model = parsed(graph)
    infos = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    stated = {
        info.name: tuple(d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim)
        for info in infos
    }
    for node in graph.nodes:
        if node.op.kind != "dropout":
            name = "output" if node is graph.nodes[-1] else node.name
            assert stated[name] == ("N", *node.shape.sizes)


def test_the_model_says_which_spec_it_came_from():
    graph = graph_of(CNN, "small")
    model = parsed(graph)
    assert model.producer_name == "netspec"
    assert model.graph.name == "small"
    assert model.doc_string == "input 3 x 16 x 16 -> output 5"
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "netspec.name": "small",
        "netspec.fingerprint": graph.fingerprint,
        "netspec.ir_version": "1",
    }


def test_the_bytes_are_the_same_every_time():
    graph, again = graph_of(CNN), graph_of(CNN)
    assert target.emit(graph, random_weights(graph)) == target.emit(again, random_weights(again))
    assert target.emit(graph, None) == target.emit(again, None)


def test_a_cnn_has_no_transpose_and_no_dropout():
    model = parsed(graph_of(CNN))
    assert not kinds(model).keys() & {"Transpose", "Dropout", "Identity"}


def test_one_node_for_an_op_wherever_onnx_has_one():
    model = parsed(
        chain("input 3 8 8", "conv 8 3", "bn", "relu", "pool 2", "dense 9", "gelu", "dense 4")
    )
    assert [node.op_type for node in model.graph.node] == [
        *("Conv", "BatchNormalization", "Relu", "MaxPool"),
        *("Flatten", "Gemm", "Gelu", "Gemm"),
    ]


def test_gelu_before_opset_20_is_written_out():
    graph = chain("input 6", "gelu", "gelu tanh")
    assert kinds(parsed(graph, opset=20)) == {"Gelu": 2}
    assert "Gelu" not in kinds(parsed(graph, opset=19))


def built(*steps, outputs):
    """A chain with some of its values as results: {result: index of the step}."""
    builder = GraphBuilder("net")
    values = []
    for op in steps:
        values.append(builder.add(op, values[-1:]))
    return builder.finish([(name, values[index]) for name, index in outputs])


@pytest.mark.parametrize(
    ("outputs", "identities"),
    [
        ([("y", 4)], 0),
        ([("y", 4), ("hidden", 2)], 0),
        ([("y", 4), ("again", 4)], 1),
        ([("y", 2), ("dropped", 3)], 1),
        ([("y", 1), ("relu1", 4)], 0),
        ([("y", 4), ("same", 0)], 1),
        ([("dense1", 4)], 0),
    ],
)
def test_results_carry_their_names(outputs, identities):
    steps = (Input(sizes=(5,)), Dense(units=4), Relu(), Dropout(rate=0.5), Dense(units=3))
    graph = built(*steps, outputs=outputs)
    weights = random_weights(graph)
    model = onnx.load_from_string(target.emit(graph, weights))
    assert [output.name for output in model.graph.output] == [name for name, _ in outputs]
    assert kinds(model)["Identity"] == identities
    declared = [v.name for v in (*model.graph.input, *model.graph.value_info, *model.graph.output)]
    values = ["input", *(node.output[0] for node in model.graph.node)]
    assert sorted(declared) == sorted(values)
    feeds = feeds_for(graph, 3)
    wanted = reference.open_session(graph, weights, "float64").predict(feeds)
    assert_close(target.open_session(graph, weights, "float32").predict(feeds), wanted, 2e-6)
    assert_close(target.open_session(graph, weights, "float64").predict(feeds), wanted, 1e-7)


@pytest.mark.parametrize("name", ["input", "dense1.bias"])
def test_a_result_called_like_an_input_or_a_weight_is_refused(name):
    graph = built(Input(sizes=(5,)), Dense(units=4), outputs=[("y", 1)])
    graph = graph.model_copy(update={"outputs": (Output(name=name, node="dense1"),)})
    with pytest.raises(SpecError, match=re.escape(name)):
        target.emit(graph, random_weights(graph))


def test_weights_that_do_not_fit_are_refused():
    graph = built(Input(sizes=(5,)), Dense(units=4), outputs=[(None, 1)])
    with pytest.raises(SpecError, match=r"lack `dense1\.bias`"):
        target.emit(graph, {"dense1.weight": np.zeros((4, 5), np.float32)})


def test_weights_beyond_a_file_are_refused():
    graph = built(Input(sizes=(2**15,)), Dense(units=2**14, bias=False), outputs=[(None, 1)])
    weights = {"dense1.weight": np.broadcast_to(np.float32(0), (2**14, 2**15))}
    with pytest.raises(SpecError, match=r"the weights take 2\.00 GiB"):
        target.emit(graph, weights)


def test_float64_weights_are_rounded_once():
    graph = built(Input(sizes=(5,)), Dense(units=4), outputs=[(None, 1)])
    exact = {name: w.astype(np.float64) + 1e-12 for name, w in random_weights(graph).items()}
    rounded = {name: array.astype(np.float32) for name, array in exact.items()}
    assert target.emit(graph, exact) == target.emit(graph, rounded)


@pytest.mark.parametrize(
    "text",
    [
        "input 3 2 -> rnn 1 layers=300",
        "net sum { input 2\nfor i in range(600) { @b += @ -> times i }\nadd { @b } }",
    ],
    ids=["layers", "branches"],
)
def test_what_nests_deeply_is_written(text):
    graph = graph_of(text)
    model = onnx.load_from_string(target.emit(graph, None))
    assert len(model.graph.node) > 600


def test_build_gives_a_live_session():
    graph = built(Input(sizes=(3, 8, 8)), Conv(filters=4, kernel=3), outputs=[("y", 1)])
    session = target.build(graph, random_weights(graph))
    (y,) = session.run(["y"], {"input": np.zeros((2, 3, 8, 8), np.float32)})
    assert y.shape == (2, 4, 6, 6)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_there_is_no_training(precision):
    graph = graph_of(CNN)
    session = target.open_session(graph, random_weights(graph), precision)
    with pytest.raises(NotImplementedError, match="cannot train"):
        session.train_step({}, {})


def test_the_rows_need_no_framework():
    code = (
        "import sys; from netspec.backend import load_backend; load_backend('onnx').ROWS; "
        "sys.exit(bool({'onnx', 'onnxruntime', 'numpy'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
