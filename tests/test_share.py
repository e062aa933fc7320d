"""Shared layers and tied weights: what the graph is, and that PyTorch, ONNX and the reference agree on it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from graphs import assert_close, graph_of
from shared import SHARED

import netspec
from netspec import Graph, Net
from netspec.backend import load_backend
from netspec.diagnostics import SpecError
from netspec.parity.diverge import expose
from netspec.passes.validate import InvalidGraph, validate
from netspec.weights import random_weights

reference = load_backend("reference")
pytorch = load_backend("torch")
onnx = load_backend("onnx")


def draws_for(shapes):
    draws = np.random.default_rng(0)
    return {
        name: draws.integers(0, 11, (5, *shape.sizes))
        if shape.dtype == "int"
        else draws.normal(size=(5, *shape.sizes))
        for name, shape in shapes.items()
    }


def feeds_for(graph):
    return draws_for({node.name: node.shape for node in graph.inputs})


def cotangents_for(graph):
    return draws_for({o.name: graph.by_name[o.node].shape for o in graph.outputs})


@pytest.fixture(params=SHARED)
def network(request):
    graph = graph_of(SHARED[request.param])
    validate(graph)
    return graph


@pytest.mark.parametrize(
    "view", [lambda graph: graph, expose], ids=["whole", "every layer a result"]
)
def test_pytorch_trains_as_the_reference_does(network, view):
    graph = view(network)
    weights, feeds, cotangents = random_weights(graph), feeds_for(graph), cotangents_for(graph)
    session = pytorch.open_session(graph, weights, "float64")
    oracle = reference.open_session(graph, weights, "float64")
    assert_close(session.predict(feeds), oracle.predict(feeds), 1e-12)
    step, truth = (each.train_step(feeds, cotangents) for each in (session, oracle))
    assert_close(step.outputs, truth.outputs, 1e-12)
    assert_close(step.gradients, truth.gradients, 1e-10)
    assert_close(step.statistics, truth.statistics, 1e-12)


def test_onnx_has_each_tensor_once_and_computes_the_same(network):
    weights, feeds = random_weights(network), feeds_for(network)
    oracle = reference.open_session(network, weights, "float64").predict(feeds)
    for precision, limit in (("float64", 1e-12), ("float32", 1e-4)):
        single = {n: x.astype(np.float32) if x.dtype.kind == "f" else x for n, x in feeds.items()}
        given = feeds if precision == "float64" else single
        session = onnx.open_session(network, weights, precision)
        assert_close(session.predict(given), oracle, limit)
    from onnx import load_from_string

    model = load_from_string(netspec.compile(network, target="onnx", weights=weights).content)
    names = [tensor.name for tensor in model.graph.initializer]
    assert len(names) == len({*names})
    assert {name for name, _ in network.weights()} <= {*names}


def test_a_module_registers_shared_layers_once(network):
    weights = random_weights(network)
    module = pytorch.build(network, weights)
    fixed = {name for name in module.state_dict() if name.endswith("num_batches_tracked")}
    stored = module.state_dict().keys() - fixed
    assert {name for name, _ in network.weights()} <= stored
    assert len({each.data_ptr() for each in module.state_dict().values()}) == len(
        module.state_dict()
    )
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    pytorch.build(network, weights).load_state_dict(torch.load(file), strict=True)


def test_graphs_survive_json(network):
    again = Graph.from_json(network.to_json())
    assert again == network
    assert again.fingerprint == network.fingerprint


def test_gradients_are_those_of_finite_differences():
    graph = graph_of("share e = dense 3\nshare t = dense 4\ninput 3\ne -> tanh -> e -> t -> tied t")
    weights = {n: w.astype(np.float64) for n, w in random_weights(graph).items()}
    feeds, cotangents = feeds_for(graph), cotangents_for(graph)

    def loss(changed):
        (found,) = reference.open_session(graph, changed, "float64").predict(feeds).values()
        return (found * cotangents["output"]).sum()

    step = reference.open_session(graph, weights, "float64").train_step(feeds, cotangents)
    for name in weights:
        bump = np.zeros_like(weights[name])
        bump.flat[1] = 1e-6
        up, down = (loss({**weights, name: weights[name] + s * bump}) for s in (1, -1))
        assert abs((up - down) / 2e-6 - step.gradients[name].flat[1]) < 1e-6


# ---- the graph ----


def sharing(graph):
    return {node.name: node.shares for node in graph.nodes if node.shares is not None}


def test_later_uses_stand_beside_the_first():
    graph = graph_of("share e = dense 4 -> relu\ninput 4\ne -> e2: relu -> stem: { e }")
    names = ["input", "e.dense1", "e.relu1", "e2", "e3.dense1", "e3.relu1"]
    assert [node.name for node in graph.nodes] == names
    assert sharing(graph) == {"e3.dense1": "e.dense1", "e3.relu1": "e.relu1"}


def test_a_single_op_or_block_has_the_name_itself():
    graph = graph_of(
        "block b { dense 4 -> relu }\nshare d = dense 4\nshare u = b\ninput 4\nd -> u -> d -> u"
    )
    assert sharing(graph) == {"d2": "d", "u2.dense1": "u.dense1", "u2.relu1": "u.relu1"}
    assert [(scope.path, scope.block) for scope in graph.scopes] == [("u", "b"), ("u2", "b")]


def test_uses_that_lead_nowhere_do_not_count():
    graph = graph_of(
        "share e = dense 4 -> relu\ninput 4\n@unused = e\n@used = e\n@lost = e\n@used -> e"
    )
    assert sharing(graph) == {"e2.dense1": "e.dense1", "e2.relu1": "e.relu1"}
    assert graph_of("share e = dense 4\ninput 4 -> relu").nodes == graph_of("input 4 -> relu").nodes


def test_names_are_those_of_the_place_where_it_is_shared():
    graph = graph_of(
        "let c = 3\nshare e = dense c -> dense @.c\nlet c = 5\ninput 3\ne -> dense c -> dense 3 -> e"
    )
    assert [node.op.units for node in graph.nodes[1:]] == [3, 3, 5, 3, 3, 3]


def test_a_summary_counts_weights_once_and_work_each_time():
    once = netspec.summarize(graph_of("share e = dense 8\ninput 8\ne"))
    twice = netspec.summarize(graph_of("share e = dense 8\ninput 8\ne -> e"))
    assert (twice.trainable, twice.macs) == (once.trainable, 2 * once.macs)
    tied = netspec.summarize(graph_of("share e = dense 8\ninput 4\ne -> tied e"))
    assert (tied.trainable, tied.macs) == (40, 64)


def test_the_printed_form_tells():
    from netspec.text import to_text

    assert (
        to_text(graph_of("share e = dense 8\ninput 8\ne -> e"))
        .splitlines()[3]
        .endswith("shares %e")
    )


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("share conv = dense 4\ninput 4\nconv", "duplicate-definition"),
        ("block e { relu }\nshare e = dense 4\ninput 4\ne", "duplicate-definition"),
        ("share class = dense 4\ninput 4\nclass", "bad-name"),
        ("share e = dense 4\ninput 4\ne: relu -> e", "duplicate-name"),
        ("share e = { dense 4 }\ninput 4\ne -> e.more: relu", "duplicate-name"),
        ("input 4\nrepeat 2 { share e = dense 4; e }", "duplicate-name"),
        ("share e = dense 4\ninput 4\ne 3", "too-many-arguments"),
        ("share e = dense 4\ninput 4\ne { relu }", "unexpected-branches"),
        ("share e = dense 4\ninput 4\n@l += relu\n@l -> e", "wrong-type"),
        ("share e = dense 4\ne", "no-input"),
        ("share e = dense 4 -> e\ninput 4\ne", "use-before-share"),
        ("input 4\n@x = relu\nshare e = add { @ | @x }\ne", "unknown-tensor"),
        (
            "share e = { if @.c == 4 { dense 4 } else { relu } }\ninput 4\ne -> dense 3 -> e",
            "unlike-use",
        ),
        (
            "share e = { if @.c == 4 { a: relu } else { b: relu } }\ninput 4\ne -> dense 3 -> e",
            "unlike-use",
        ),
        (
            "share e = { if @.c == 4 { a: relu } else { a: tanh } }\ninput 4\ne -> dense 3 -> e",
            "unlike-use",
        ),
        ("share e = conv 4 3 -> relu\ninput 4\ntied e", "not-shared"),
    ],
)
def test_mistakes(text, id_):
    with pytest.raises(SpecError) as caught:
        graph_of(text)
    assert [diagnostic.id for diagnostic in caught.value.diagnostics] == [id_]


def test_a_target_refuses_what_would_need_other_code():
    graph = graph_of(
        "share e = conv 4 3 stride=2 padding=same\ninput 4 9 8\n@a = e\n@b = pool (2, 1) stride=1 -> e\nout a=@a, b=@b"
    )
    weights, feeds = random_weights(graph), feeds_for(graph)
    oracle = reference.open_session(graph, weights, "float64").predict(feeds)
    assert_close(onnx.open_session(graph, weights, "float64").predict(feeds), oracle, 1e-12)
    with pytest.raises(
        SpecError, match=r"torch cannot realise `conv` \(e2\): it shares `e`, whose code"
    ):
        netspec.compile(graph, target="torch")


# ---- validity ----


def broken(graph, name, **changes):
    nodes = tuple(n.model_copy(update=changes) if n.name == name else n for n in graph.nodes)
    return graph.model_copy(update={"nodes": nodes})


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("e2.dense1", {"shares": "nobody"}, "is no node before it"),
        ("e2.dense1", {"shares": None}, "does not share"),
        ("e2.relu1", {"shares": "e.dense1"}, "stands in another place"),
        ("e2.relu1", {"inputs": ("e.relu1",)}, "is not the place of"),
        ("tied1", {"shares": None}, "shares none"),
        ("tied1", {"shares": "e.dense1"}, "which is no weight of"),
    ],
)
def test_graphs_that_no_spec_gives(name, changes, words):
    graph = graph_of("share e = dense 4 -> relu\nshare d = dense 6\ninput 4\ne -> e -> d -> tied d")
    validate(graph)
    with pytest.raises(InvalidGraph, match=words):
        validate(broken(graph, name, **changes))


# ---- the Python builder ----


def test_a_built_graph_equals_the_parsed_one():
    net = Net("test")
    left, right = net.input(1, 9, 9, label="left"), net.input(1, 9, 9, label="right")
    tower = net.share("tower", lambda x: x.conv(4, 3).bn().relu().gap())
    code = net.share("code", "dense", 4)
    both = code(tower(left)).add(tower(right))
    assert net.graph(code(both).tied(code)) == graph_of(
        "share tower = conv 4 3 -> bn -> relu -> gap\nshare code = dense 4\n"
        "@left = input 1 9 9\n@right = input 1 9 9\n"
        "@a = @left -> tower -> code\n@b = @right -> tower\nadd { @a | @b } -> code -> tied code"
    )


def test_inner_results_may_leave_a_shared_function():
    net, kept = Net("test"), []

    def layers(x):
        kept.append(x.dense(4).relu())
        return kept[-1].dense(4)

    shared = net.share("e", layers)
    x = net.input(4)
    shared(x)
    graph = net.graph(inner=kept[0], outer=shared(x))
    validate(graph)
    weights, feeds, cotangents = random_weights(graph), feeds_for(graph), cotangents_for(graph)
    step, truth = (
        each.open_session(graph, weights, "float64").train_step(feeds, cotangents)
        for each in (pytorch, reference)
    )
    assert_close(step.gradients, truth.gradients, 1e-10)


@pytest.mark.parametrize(
    ("mistake", "id_"),
    [
        (lambda net, _: net.share("class", "relu"), "bad-name"),
        (lambda net, x: x.tied(net.share("d", "dense", 4)), "not-shared"),
        (lambda net, x: net.share("d", "dense", 3)(x.relu(label="d")), "duplicate-name"),
        (lambda net, x: (d := net.share("d", "dense", 3))(d(x)), "unlike-use"),
        (lambda _, x: x.tied(Net("other").share("d", "dense", 4)), "foreign-tensor"),
    ],
)
def test_mistakes_of_the_builder(mistake, id_):
    net = Net("test")
    with pytest.raises(SpecError) as caught:
        mistake(net, net.input(4))
    assert caught.value.diagnostics[0].id == id_
