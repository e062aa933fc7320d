"""What passes may do to nodes that share weights: in every use of an instance, or in none. Knows no op."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from netspec.ir import Graph, Node
from netspec.passes.validate import parents
from netspec.sharing import Use, in_every_use, mirrors, places


def uses_by_owner(graph: Graph) -> dict[str, tuple[Node, ...]]:
    """By the name of each node that owns weights, or would, all that work with them: itself, and those that share."""
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        found.setdefault(graph.owner(node).name, []).append(node)
    return {name: tuple(nodes) for name, nodes in found.items()}


def instances(graph: Graph) -> list[tuple[Use, ...]]:
    """The shared instances that are used more than once, each with all its uses, the first one first."""
    paths: dict[str, dict[str, None]] = {}
    for node in graph.nodes:
        if node.shares is not None and mirrors(graph, node):
            pair = places(node.name, node.shares)
            assert pair is not None, "validate lets no other node share"
            later, first = pair
            paths.setdefault(first, {first: None})[later] = None
    nodes: dict[str, list[Node]] = {path: [] for found in paths.values() for path in found}
    for node in graph.nodes:
        for path in (*parents(node.name), node.name):
            if path in nodes:
                nodes[path].append(node)
    return [tuple(Use(path, tuple(nodes[path])) for path in found) for found in paths.values()]


def in_all_uses(graph: Graph, replaced: Mapping[str, str]) -> dict[str, str]:
    """The replacements that keep the uses of each instance alike.

    A node of an instance goes where it goes in each of the uses, for nodes that share too or for what
    it reads; or where all of its use goes for another one.
    """
    uses = uses_by_owner(graph)
    whole = {
        node.name
        for instance in instances(graph)
        for use in instance[1:]
        if all(_goes_for_its_like(graph, node, replaced) for node in use.nodes)
        for node in use.nodes
    }
    kept = {}
    for name, other in replaced.items():
        twins = uses[graph.owner(graph.by_name[name]).name]
        if len(twins) == 1 or name in whole or _alike(graph, twins, replaced):
            kept[name] = other
    return kept


def _goes_for_its_like(graph: Graph, node: Node, replaced: Mapping[str, str]) -> bool:
    other = replaced.get(node.name)
    if other is None:
        return False
    return graph.owner(graph.by_name[other]) == graph.owner(node)


def _alike(graph: Graph, twins: Collection[Node], replaced: Mapping[str, str]) -> bool:
    """Whether all of them go, each for what it reads or for nodes that share."""
    if any(twin.name not in replaced for twin in twins):
        return False
    others = [graph.by_name[replaced[twin.name]] for twin in twins]
    if all(other.name in twin.inputs for twin, other in zip(twins, others, strict=True)):
        return True
    owners = {graph.owner(other).name for other in others}
    return len(owners) == 1 and len({other.name for other in others}) == len(twins)


def unmatched(graph: Graph, plans: Sequence[tuple[Sequence[str], object]]) -> set[str]:
    """The shared nodes that a plan touches which other uses of them have not.

    A plan is the nodes that it changes or drops, and what becomes of them.
    """
    uses = uses_by_owner(graph)
    owner = {node.name: graph.owner(node).name for node in graph.nodes}
    keys = [(tuple(owner[name] for name in names), result) for names, result in plans]
    times = Counter(keys)
    return {
        name
        for key, (names, _) in zip(keys, plans, strict=True)
        if any(len(uses[each]) != times[key] or key[0].count(each) > 1 for each in key[0])
        for name in names
        if len(uses[owner[name]]) > 1
    }


def needed(graph: Graph) -> set[str]:
    """The nodes that lead to a result, those whose weights these work with, and all inputs.

    Of an instance whatever leads to a result in one of its uses, in each use of which anything does.
    """
    found = {output.node for output in graph.outputs} | {node.name for node in graph.inputs}
    shared = instances(graph)
    while True:
        before = len(found)
        for node in reversed(graph.nodes):
            if node.name in found:
                found.update(node.inputs)
                if node.shares is not None:
                    found.add(node.shares)
        for instance in shared:
            found |= in_every_use(instance, found)
        if len(found) == before:
            return found
