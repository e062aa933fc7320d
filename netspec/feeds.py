"""Random inputs for a network: normal numbers, and tokens that it knows. Knows no op by name."""

from __future__ import annotations

from netspec.ir import Graph, Node
from netspec.weights import Array, np

ANY_TOKENS = 100
"""Tokens are drawn below this where no reader says how many there are."""


def vocabulary(graph: Graph, node: Node, unbounded: int = ANY_TOKENS) -> int:
    """What the whole numbers of an input stay below: as many as every op that looks them up knows.

    `unbounded` stands where none does.
    """
    bounds: list[int] = []
    waiting = [node.name]
    while waiting:
        for name in graph.readers[waiting.pop()]:
            reader = graph.by_name[name]
            if reader.op.tokens is not None:
                bounds.append(reader.op.tokens)
            elif reader.shape.dtype == "int":
                waiting.append(name)
    return min(bounds, default=unbounded)


def draw(graph: Graph, node: Node, batch: int, generator: np.random.Generator) -> Array:
    """A batch for one input: standard normal float32, or int64 tokens."""
    sizes = (batch, *node.shape.sizes)
    if node.shape.dtype == "int":
        return generator.integers(vocabulary(graph, node), size=sizes)
    return generator.standard_normal(sizes, np.float32)
