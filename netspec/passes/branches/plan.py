"""What becomes of each sum: which of its branches are one layer, and what is left to add up. Computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from netspec.ir import Graph, Node
from netspec.ops import Op
from netspec.passes.branches.merge import Merged, merge
from netspec.passes.branches.part import LAYERS, PARTS, Part, itself, read_part
from netspec.passes.branches.sums import Sum, Term, sums_of, written
from netspec.passes.branches.taps import Apart
from netspec.passes.uses import unmatched
from netspec.weights import Weights


class Branch(NamedTuple):
    """A part with its factor, and which terms of the sum it is."""

    factor: float
    part: Part
    places: tuple[int, ...]


class Plan(NamedTuple):
    """What becomes of a sum, and why branches that might have been one layer with others are none."""

    total: Sum
    layers: tuple[tuple[Merged, tuple[Branch, ...]], ...]
    """Each new layer with the branches that it is."""
    op: Op | None
    """What adds up the terms; None where there is one."""
    terms: tuple[Term, ...]
    """The new layers and what else is left of the sum."""
    reasons: Mapping[str, str]

    @property
    def touched(self) -> list[str]:
        """The nodes that go or change."""
        nodes = (branch.part.node for _, branches in self.layers for branch in branches)
        return [*self.total.nodes, *(node.name for node in nodes if node is not None)]


def plan_all(graph: Graph, weights: Weights | None) -> list[Plan]:
    """A plan for each sum in which something merges, or might have merged.

    Layers that share weights merge where each use of them does, likewise.
    """
    results = {output.node for output in graph.outputs}
    sums = sums_of(graph, results)
    kept: set[str] = set()
    while True:
        plans = [_plan(graph, total, weights, results, kept) for total in sums]
        refused = unmatched(
            graph,
            [
                (plan.touched, tuple(merged.layer for merged, _ in plan.layers))
                for plan in plans
                if plan.layers
            ],
        )
        if not refused:
            return [plan for plan in plans if plan.layers or plan.reasons]
        kept |= refused


def _plan(
    graph: Graph,
    total: Sum,
    weights: Weights | None,
    results: AbstractSet[str],
    kept: AbstractSet[str],
) -> Plan:
    reasons: dict[str, str] = {}
    layers: list[tuple[Merged, tuple[Branch, ...]]] = []
    if kept.isdisjoint(total.nodes):
        for branches in _branches(graph, total, weights, results, kept, reasons):
            found, apart = merge([branch.part for branch in branches])
            layers += (
                (merged, tuple(branches[number] for number in merged.numbers)) for merged in found
            )
            for number, reason in apart.items():
                node = branches[number].part.node
                reasons[total.node.name if node is None else node.name] = reason
    gone = {place for _, branches in layers for branch in branches for place in branch.places}
    left = [term for place, term in enumerate(total.terms) if place not in gone]
    ended = written(left, [merged.seed.name for merged, _ in layers])
    if layers and ended is None:
        reasons[total.node.name] = "what is left to add up has factors"
        layers.clear()
    op, terms = ended if layers and ended else (total.node.op, total.terms)
    return Plan(total, tuple(layers), op, tuple(terms), reasons)


def _branches(
    graph: Graph,
    total: Sum,
    weights: Weights | None,
    results: AbstractSet[str],
    kept: AbstractSet[str],
    reasons: dict[str, str],
) -> Iterator[list[Branch]]:
    """The branches of each tensor that a layer of the sum reads; of those that stay the reason is added."""
    nodes = [graph.by_name[term.name] for term in total.terms]
    read = dict.fromkeys(node.inputs[0] for node in nodes if isinstance(node.op, LAYERS))
    found: dict[str, dict[str, Branch]] = {name: {} for name in read}
    stays: dict[str, dict[str, str]] = {name: {} for name in read}
    for place, (term, node) in enumerate(zip(total.terms, nodes, strict=True)):
        if node.name in read:
            source, part = node.name, itself(node.shape)
        elif isinstance(node.op, PARTS) and node.inputs[0] in read:
            source = node.inputs[0]
            try:
                part = _part(graph, node, total, weights, results, kept)
            except Apart as apart:
                stays[source][node.name] = str(apart)
                continue
        else:
            continue
        before = found[source].get(node.name, Branch(0, part, ()))
        places = (*before.places, place)
        found[source][node.name] = Branch(before.factor + term.factor, part, places)
    for source in found:
        if len(found[source]) + len(stays[source]) > 1:
            reasons |= stays[source]
            yield list(found[source].values())


def _part(
    graph: Graph,
    node: Node,
    total: Sum,
    weights: Weights | None,
    results: AbstractSet[str],
    kept: AbstractSet[str],
) -> Part:
    for reader in graph.readers[node.name]:
        if reader not in total.nodes:
            raise Apart(f"`{reader}` reads it too")
    if node.name in results:
        raise Apart("it is a result")
    if node.name in kept:
        raise Apart("another use of its weights does not merge so")
    return read_part(graph, node, weights)
