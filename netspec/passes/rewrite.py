"""How passes take nodes out of a graph and put others in their place. Knows no op."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from netspec.ir import Graph, Node, Output
from netspec.ops import Op
from netspec.passes import Model, Note
from netspec.passes.validate import parents


def rewrite(graph: Graph, changed: Mapping[str, Node], replaced: Mapping[str, str]) -> Graph:
    """The graph with some nodes changed, and those of `replaced` dropped, each for another node.

    Readers and outputs of a dropped node read the other; scopes that lose their last node and the
    positions of all that is gone go too. Every replacement must be a node that stays, or nobody read it.
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
    return graph.having(
        nodes=tuple(nodes),
        outputs=tuple(
            Output(name=output.name, node=replaced.get(output.node, output.node))
            for output in graph.outputs
        ),
        scopes=tuple(scope for scope in graph.scopes if scope.path not in emptied),
        positions={path: at for path, at in graph.positions.items() if path not in gone},
    )


def expand(graph: Graph, instead: Mapping[str, Sequence[Node]]) -> Graph:
    """The graph with several nodes in the place of one; what read that one reads the last of them.

    Those that read the node itself go on reading it, if it is among them. They have its position in the text.
    """
    last = {name: nodes[-1].name for name, nodes in instead.items()}
    nodes: list[Node] = []
    positions = dict(graph.positions)
    for node in graph.nodes:
        group = instead.get(node.name, (node,))
        own = {each.name for each in group}
        for each in group:
            inputs = tuple(x if x in own else last.get(x, x) for x in each.inputs)
            nodes.append(each.model_copy(update={"inputs": inputs}))
        if node.name in positions:
            positions |= dict.fromkeys(own, positions[node.name])
    outputs = tuple(
        Output(name=output.name, node=last.get(output.node, output.node))
        for output in graph.outputs
    )
    return graph.having(nodes=tuple(nodes), outputs=outputs, positions=positions)


def followed(replaced: Mapping[str, str]) -> dict[str, str]:
    """The same replacements, each by the node that stays at the end of its chain."""
    found: dict[str, str] = {}
    for name in replaced:
        chain = [name]
        while (other := chain[-1]) in replaced and other not in found:
            chain.append(replaced[other])
        end = found.get(chain[-1], chain[-1])
        found.update(dict.fromkeys(chain[:-1], end))
    return found


def carry(model: Model, graph: Graph, notes: Iterable[Note]) -> Model:
    """The model with this graph in place of its own, the weights that it still has, and more notes."""
    weights = model.weights
    if weights is not None and graph is not model.graph:
        weights = {name: weights[name] for name, _ in graph.weights()}
    return Model(graph, weights, (*model.notes, *notes))


def replace_ops(graph: Graph, change: Callable[[Op], Op]) -> Graph:
    """The graph with the ops that `change` gives, of the same shapes and weights."""
    changed = {
        node.name: node.model_copy(update={"op": op})
        for node in graph.nodes
        if (op := change(node.op)) != node.op
    }
    return rewrite(graph, changed, {})
