"""Graphs for tests: from text, and from an op's own examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netspec.backend import Backend
from netspec.diagnostics import SpecError
from netspec.examples import example_graph
from netspec.feeds import vocabulary
from netspec.ir import Graph, Node
from netspec.language.expand import expand
from netspec.language.syntax import parse
from netspec.ops import Example, Op, all_ops
from netspec.sizes import bind, unknowns
from netspec.source import Source

__all__ = [
    "HOSTILE",
    "HYPHENATED",
    "NUMBERED",
    "OPS_BY_EXAMPLE",
    "REALISED_UNSIZED",
    "RECURSIVE",
    "assert_close",
    "chain",
    "draw_inputs",
    "example_graph",
    "example_id",
    "examples_graph",
    "fit",
    "graph_of",
    "joined",
    "realised_by",
    "realises",
    "unsized_examples",
]

OPS_BY_EXAMPLE = [(op, example) for op in all_ops() for example in op.examples]
"""Every op with each of its examples: what the tests over all ops run over."""


HOSTILE = """
block tensor(name, x, layers, self, nn, keras, lambda, range, b) {
  conv name 1 -> conv x 1 -> conv layers 1 -> conv self 1 -> conv nn 1
  -> conv keras 1 -> conv lambda 1 -> conv range 1 -> b b
}
block Tensor(c) { conv c 1 }
block b(tensor) { conv tensor 1 }
net F {
  input 1 4 4
  tensor 2 3 4 5 6 7 8 9 3 -> tensor 3 4 5 6 7 8 9 10 4
  -> Tensor 3 -> print: relu -> list: relu -> Tensor 4
}
"""
"""Names that mean something to Python, to a framework or to the file that is emitted."""


NUMBERED = """
block mixed(c, k) {
  0: conv c k padding=half -> add { 1.0: relu | 2: conv c k padding=half | 1.1: conv c 1 } -> 3: bn
}
block counted(c, act=relu) { 0: conv c 1 -> 1: bn -> 2: act }
net numbered {
  input 3 8 8
  mixed 4 3 -> 1: conv 3 1 -> counted 4 -> counted 6 tanh -> mixed 5 1
  -> group: { 0: conv 4 1 -> 1: add { @ | relu } }
}
"""
"""Labels that are numbers, in sequences and where there is none."""


HYPHENATED = """
block unit(c) { a-1: conv c 1 -> b-1: relu }
net hyphenated {
  input 3 4 4
  stem-1: conv 4 1
  trunk: { for i in range(5) { unit-{i}: unit 4 } }
  add { cut-1.a-b: conv 4 1 | relu } -> cut-1.0: conv 4 1
  -> add { @ | at-1: param @.c @.h @.w | cut-1.at-2: param @.c @.h @.w }
}
"""
"""Labels that hold a `-`: of layers, tensors, blocks and groups."""


RECURSIVE = """
block level(c, stop) {
  conv c 3 padding=1
  if c < stop { add { @ | pool 2 -> down: level 2*c stop -> up: conv_transpose c 2 stride=2 } }
}
block tail(n) { conv 4 1 -> if n > 0 { tail (n - 1) } }
block odd(n, k=1) { if n > 0 { odd (n - 1) k=(3 if k == 1 else 1) } -> conv (n + 2) k padding=half }
block tree(n) { conv 4 1 -> if n > 0 { add { tree (n - 1) | tree (n - 1) } } }
net recursive { input 3 8 8 -> unet 4 2 -> unet 3 3 -> level 2 8 -> tail 3 -> odd 2 -> tree 2 }
"""
"""Blocks that call themselves: with what their parameters tell, with what they do not, and twice."""


def graph_of(text: str, name: str = "test") -> Graph:
    """The graph of a spec."""
    return expand(parse(Source(f"{name}.net", text)))


def joined(graphs: Sequence[Graph]) -> Graph:
    """Graphs side by side as one, the names of the first beginning with `g0_`: built once, they are tested at once."""

    def renamed(graph: Graph, number: int) -> Graph:
        def name(old: str) -> str:
            return f"g{number}_{old}"

        return graph.model_copy(
            update={
                "nodes": tuple(
                    node.model_copy(
                        update={
                            "name": name(node.name),
                            "inputs": tuple(map(name, node.inputs)),
                            "shares": node.shares and name(node.shares),
                        }
                    )
                    for node in graph.nodes
                ),
                "outputs": tuple(
                    output.model_copy(update={"name": name(output.name), "node": name(output.node)})
                    for output in graph.outputs
                ),
            }
        )

    own = [renamed(graph, number) for number, graph in enumerate(graphs)]
    return Graph(
        name=graphs[0].name,
        nodes=tuple(node for graph in own for node in graph.nodes),
        outputs=tuple(output for graph in own for output in graph.outputs),
    )


def realises(target: Backend, graph: Graph) -> bool:
    """Whether the target refuses no node."""
    return not any(target.ROWS.reason_against(graph, node) for node in graph.nodes)


def realised_by(target: Backend) -> list[tuple[type[Op], Example]]:
    """Every op with each of its examples that the target can realise."""
    return [case for case in OPS_BY_EXAMPLE if realises(target, example_graph(*case))]


def examples_graph(op: type[Op], target: Backend) -> Graph:
    """All examples of an op that the target realises, side by side."""
    graphs = [example_graph(op, example) for example in op.examples]
    return joined([graph for graph in graphs if realises(target, graph)])


def fit(graph: Graph, node: Node, numbers: np.ndarray) -> np.ndarray:
    """Numbers for an input as they are, or as tokens that its readers know."""
    if node.shape.dtype == "float":
        return numbers
    return (np.abs(numbers) * 1000).astype(np.int64) % vocabulary(graph, node)


_REALISED_UNSIZED = """
add avgpool bn concat conv conv_transpose dense dropout flatten gap gelu log_softmax max mean mul permute pool
positions relu slice softmax tokens
"""
REALISED_UNSIZED = frozenset(_REALISED_UNSIZED.split())
"""Ops of which every target realises at least one example whose sizes are known only at run time."""


def unsized_examples(op: type[Op]) -> list[tuple[Graph, list[dict[str, int]]]]:
    """The op's examples that do without numbers, their sizes unknown, and what these may be at run time.

    The first choice is the example's own, the second larger by an odd number.
    """
    found = []
    for example in op.examples:
        try:
            graph = example_graph(op, example, unsized=True)
        except SpecError:
            continue
        own = {name: int(name[1:]) for name in unknowns(graph)}
        choices = [own, {name: size + 3 for name, size in own.items()}]
        if own:
            found.append((graph, [sizes for sizes in choices if _fits(graph, sizes)]))
    return found


def _fits(graph: Graph, sizes: dict[str, int]) -> bool:
    try:
        bind(graph, sizes)
    except SpecError:
        return False
    return True


def draw_inputs(graph: Graph, sizes: dict[str, int], batch: int, seed: int = 0) -> dict[str, Any]:
    """Float32 numbers, or tokens, for a graph whose unknown sizes are these."""
    draws = np.random.default_rng(seed)
    return {
        node.name: fit(graph, node, draws.normal(size=(batch, *node.shape.sizes)).astype("float32"))
        for node in bind(graph, sizes).inputs
    }


def assert_close(found: Any, wanted: Any, limit: float) -> None:
    """The same arrays by name, as far apart as `limit` times the largest number of each, or of 0.001."""
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        assert found[name].shape == expected.shape, name
        scale = max(np.abs(expected).max(), 1e-3)
        assert np.abs(found[name] - expected).max() <= limit * scale, name


def chain(*lines: str) -> Graph:
    """One step after another, the first of them an `input`."""
    return graph_of(" -> ".join(lines), "chain")


def example_id(case: object) -> str | None:
    """How pytest names an example: by its line and shapes."""
    if isinstance(case, Example):
        shapes = ",".join("x".join(map(str, shape)) for shape in case.inputs)
        return f"{case.line} @ {shapes}" if shapes else case.line
    return None
