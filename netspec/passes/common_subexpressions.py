"""Computes equal things once."""

from __future__ import annotations

from collections.abc import Collection

from netspec.ir import Graph, Node
from netspec.passes import Model, Note
from netspec.passes.rewrite import carry, rewrite
from netspec.passes.uses import in_all_uses

_STEP = "common-subexpressions"
_SYMMETRIC = frozenset({"add", "mul", "max", "min", "mean"})
"""Ops whose result is the same to the last bit when two branches change places."""


def common_subexpressions(model: Model) -> Model:
    """The model in which equal ops of equal inputs are one, if they have no weights or share them.

    What draws samples at inference stays, for two samples are not one. Within a shared instance nodes
    go where they are equal in each of the uses, or where the whole of a use equals another one.
    """
    graph = model.graph
    apart: dict[str, None] = {}
    while True:
        found = _equals(graph, apart)
        replaced = in_all_uses(graph, found)
        if len(replaced) == len(found):
            break
        apart |= dict.fromkeys(name for name in found if name not in replaced)
    notes = [Note(_STEP, name, True, f"gone: equals `{other}`") for name, other in replaced.items()]
    notes += (Note(_STEP, name, False, "stays: differs in another use") for name in apart)
    return carry(model, rewrite(graph, {}, replaced), notes)


def _equals(graph: Graph, apart: Collection[str]) -> dict[str, str]:
    """For each node that equals an earlier one the first such, but for those that are kept apart."""
    first: dict[object, str] = {}
    found: dict[str, str] = {}
    for node in graph.nodes:
        if node.op.kind == "input" or node.op.is_random:
            continue
        other = first.setdefault(_key(graph, node, found), node.name)
        if other != node.name and node.name not in apart:
            found[node.name] = other
    return found


def _key(graph: Graph, node: Node, found: dict[str, str]) -> object:
    """What a node computes: its op, what it reads, and whose weights it works with."""
    sources: tuple[object, ...] = tuple(found.get(name, name) for name in node.inputs)
    if node.op.batchless:
        sources = graph.input_shapes(node)
    elif len(sources) == 2 and node.op.kind in _SYMMETRIC:
        sources = tuple(sorted(map(str, sources)))
    return node.op, sources, graph.owner(node).name if graph.weights_of(node) else None
