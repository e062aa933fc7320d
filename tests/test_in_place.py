"""Activations that write over their input in emitted PyTorch: where they do, and that no value or gradient tells."""

from __future__ import annotations

import pytest
import torch
from graphs import draw_inputs, graph_of, joined, realised_by

from netspec.backend import load_backend
from netspec.backends.torch.live import run_source
from netspec.backends.torch.module import emit_module
from netspec.examples import example_graph
from netspec.ir import Graph, Node, Output
from netspec.ops.activation.rectifiers import Relu
from netspec.ops.index import family_of
from netspec.passes import Model
from netspec.passes.deterministic import deterministic

CASES = [case for case in realised_by(load_backend("torch")) if case[0].kind != "input"]
GIVING = {
    "add",
    "bn",
    "concat",
    "conv",
    "conv_transpose",
    "dense",
    "div",
    "gn",
    "mul",
    "sub",
    "wsconv",
}
"""The ops whose results may be written over."""
OVER = {"elu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "relu", "relu6", "silu"}
"""The activations that are faster in place."""


def followed(graph: Graph) -> Graph | None:
    """The graph with a ReLU behind its result, if that is of real numbers."""
    (output,) = graph.outputs
    result = graph.by_name[output.node]
    if result.shape.dtype != "float":
        return None
    node = Node(name="over", op=Relu(), inputs=(result.name,), shape=result.shape)
    return graph.having(nodes=(*graph.nodes, node), outputs=(Output(name="y", node="over"),))


def train(
    source: str, name: str, graph: Graph, weights: dict[str, torch.Tensor]
) -> list[torch.Tensor]:
    """All results and all gradients; what the module was given is as it was."""
    module = run_source(source, name).double().train()
    module.load_state_dict(weights)
    arrays = draw_inputs(graph, {}, batch=2).values()
    feeds = [torch.from_numpy(array) for array in arrays]
    feeds = [x.double().requires_grad_() if x.is_floating_point() else x for x in feeds]
    before = [x.detach().clone() for x in feeds]
    results = module(*feeds)
    results = results if isinstance(results, tuple) else (results,)
    sum((y * torch.linspace(1, 2, y.numel()).view_as(y)).sum() for y in results).backward()
    for x, old in zip(feeds, before, strict=True):
        assert torch.equal(x, old)
    gradients = [p.grad for p in (*module.parameters(), *feeds) if p.grad is not None]
    return [*(y.detach() for y in results), *gradients]


def check(graph: Graph) -> None:
    source, name = emit_module(graph)
    plain = source.replace("inplace=True", "inplace=False")
    assert plain != source
    weights = run_source(source, name).state_dict()
    found, wanted = (train(text, name, graph, weights) for text in (source, plain))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12, equal_nan=True)


def test_a_relu_behind_any_op_computes_and_trains_as_one_with_memory_of_its_own():
    graphs = {case: followed(deterministic(Model(example_graph(*case))).graph) for case in CASES}
    alone = {case: graph for case, graph in graphs.items() if graph is not None}
    line = "self.over = nn.ReLU(inplace=True)"
    over = {case for case, graph in alone.items() if line in emit_module(graph)[0]}
    assert {op.kind for op, _ in over} == GIVING
    check(joined([alone[case] for case in CASES if case in over]))


def test_every_activation_in_place_trains_as_one_with_memory_of_its_own():
    examples = [example for op, example in CASES if family_of(op) == "activation"]
    lines = {example.line for example in examples if "axis" not in example.line}
    behind = {line: graph_of(f"input 3 4 5 -> bn -> last: {line}") for line in sorted(lines)}
    over = {line for line, graph in behind.items() if "inplace=True" in emit_module(graph)[0]}
    assert {line.split()[0] for line in over} == OVER
    check(joined([behind[line] for line in sorted(over)]))
    for line in ("leaky_relu slope=-0.5", "elu alpha=-1.0"):  # their results do not tell the sign
        assert "inplace" not in source_of(f"bn -> {line}")


@pytest.mark.parametrize(
    "text",
    [
        "conv 4 3 -> bn -> relu -> gap -> dense 4 -> relu -> dense 2",
        "block b(f) { conv 4 3 -> f }\nb relu -> b silu",
        "share s = { conv 3 3 padding=1 -> a: relu }\ns -> s",
        "block b { conv 4 3 }\nb -> relu",
    ],
)
def test_what_nobody_reads_is_written_over(text):
    assert "inplace=True" in source_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "relu -> conv 4 3",  # the network's input
        "conv 4 3 -> add { relu | @ }",  # read elsewhere
        "@a = conv 4 3\n@a -> relu\nout raw=@a, active=@",  # a result
        "@a, @b = conv 4 3 -> split 2\nconcat { @a -> relu | @b -> relu }",  # views
        "tokens -> dense 4 -> relu",  # a dense layer gives a view of a sequence
        "conv 4 3 -> dropout 0.5 -> relu",  # at inference that is what it was given
        "conv 4 3 -> sigmoid -> relu",  # sigmoid's backward pass reads its result
        "conv 4 3 -> relu -> conv 4 3 -> add { relu | @ }",  # one module serves both
        "block b { relu -> conv 4 3 }\nconv 4 3 -> b -> b",  # a caller's tensor
        "block b(f) { conv 4 3 -> f }\nb relu -> b gelu",  # one class, and a function without the word
        "share a = relu\nadd { conv 3 1 -> a | sigmoid -> a }",  # one module, and one use that may not
    ],
)
def test_nothing_is_written_over_that_anybody_reads(text):
    assert "inplace" not in source_of(text)


def source_of(text: str) -> str:
    block, _, steps = text.rpartition("}\n") if text.startswith("block") else ("", "", text)
    return emit_module(
        graph_of(f"{block}}}\ninput 3 8 8\n{steps}" if block else f"input 3 8 8\n{steps}")
    )[0]
