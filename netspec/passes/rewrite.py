"""How passes take nodes out of a graph and put others in their place. Knows no op."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netspec.ir import Graph, Node, Output
from netspec.ops import Op
from netspec.passes.validate import parents


def rewrite(graph: Graph, changed: Mapping[str, Node], replaced: Mapping[str, str]) -> Graph:
    """The graph with some nodes changed, and those of `replaced` dropped, each for another node.

    Readers and outputs of a dropped node read the other; scopes that lose their last node and the
    positions of all that is gone go too. Every replacement must be a node that stays.
    """
    if not changed and not replaced:
        return graph
    nodes = []
    for node in graph.nodes:
        if node.name in replaced:
            continue
        kept = changed.get(node.name, node)
        if any(name in replaced for name in kept.inputs):
            inputs = tuple(replaced.get(name, name) for name in kept.inputs)
            kept = kept.model_copy(update={"inputs": inputs})
        nodes.append(kept)
    before = {parent for node in graph.nodes for parent in parents(node.name)}
    after = {parent for node in nodes for parent in parents(node.name)}
    emptied = before - after
    gone = emptied | replaced.keys()
    return Graph(
        name=graph.name,
        nodes=tuple(nodes),
        outputs=tuple(
            Output(name=output.name, node=replaced.get(output.node, output.node))
            for output in graph.outputs
        ),
        scopes=tuple(scope for scope in graph.scopes if scope.path not in emptied),
        positions={path: at for path, at in graph.positions.items() if path not in gone},
    )


def replace_ops(graph: Graph, change: Callable[[Op], Op]) -> Graph:
    """The graph with the ops that `change` gives, of the same shapes and weights."""
    changed = {
        node.name: node.model_copy(update={"op": op})
        for node in graph.nodes
        if (op := change(node.op)) != node.op
    }
    return rewrite(graph, changed, {})
