"""Sums in a graph, and the branches that are added up in them. Knows nothing of kernels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from netspec.ir import Graph, Node
from netspec.ops import Op
from netspec.ops.merge import Add, Mean, Subtract

_SUMS = (Add, Subtract, Mean)


def _is_sum(graph: Graph, node: Node) -> bool:
    """Whether a node adds up tensors of its own shape."""
    return isinstance(node.op, _SUMS) and all(x == node.shape for x in graph.input_shapes(node))


class Term(NamedTuple):
    """A node whose value is added up, and its factor."""

    factor: float
    name: str


class Sum(NamedTuple):
    """A node that adds up others, and the sums that only it reads, as one sum."""

    node: Node
    inner: tuple[str, ...]
    terms: tuple[Term, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """All of its nodes."""
        return (self.node.name, *self.inner)


def sums_of(graph: Graph, results: Collection[str]) -> list[Sum]:
    """Every sum of the graph that is no part of another one."""
    found: list[Sum] = []
    within: set[str] = set()
    for node in reversed(graph.nodes):
        if _is_sum(graph, node) and node.name not in within:
            found.append(_sum(graph, node, results))
            within.update(found[-1].inner)
    return found


def _sum(graph: Graph, node: Node, results: Collection[str]) -> Sum:
    inner: list[str] = []
    terms: list[Term] = []
    waiting = _terms(node, 1.0)[::-1]
    while waiting:
        term = waiting.pop()
        source = graph.by_name[term.name]
        alone = len(graph.readers[term.name]) == 1 and term.name not in results
        if _is_sum(graph, source) and alone:
            inner.append(term.name)
            waiting += _terms(source, term.factor)[::-1]
        else:
            terms.append(term)
    return Sum(node, tuple(inner), tuple(terms))


def _terms(node: Node, factor: float) -> list[Term]:
    names = node.inputs
    if isinstance(node.op, Mean):
        return [Term(factor / len(names), name) for name in names]
    rest = -factor if isinstance(node.op, Subtract) else factor
    return [Term(factor, names[0]), *(Term(rest, name) for name in names[1:])]


def written(terms: Sequence[Term], free: Sequence[str]) -> tuple[Op | None, list[Term]] | None:
    """The op that adds up these terms and those of `free`, whose sign may be chosen, and all in its order.

    None stands for no op where there is one term alone, and for all where no op adds them up.
    """
    plus = [term for term in terms if term.factor == 1]
    minus = [term for term in terms if term.factor == -1]
    if len(plus) + len(minus) < len(terms):
        return None
    if not minus:
        rows = [*(Term(1, name) for name in free), *plus]
        return (Add() if len(rows) > 1 else None), rows
    if len(plus) + bool(free and not plus) != 1:
        return None
    first = plus[0] if plus else Term(1, free[0])
    rest = [Term(-1, name) for name in free if name != first.name]
    return Subtract(), [first, *rest, *minus]
