"""Which names a part of a tree reads. A definition is no reading. Knows no rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netspec.language import tree
from netspec.source import Span


class Names(NamedTuple):
    """The bare names (variables, ops, blocks) and the tensors that are read."""

    bare: frozenset[str]
    tensors: frozenset[str]


def read_in(*roots: object) -> Names:
    """What these parts of a tree read, at any depth."""
    bare, tensors = set[str](), set[str]()
    for node in walk(*roots):
        if isinstance(node, tree.Name):
            bare.add(node.name)
        elif isinstance(node, tree.Tensor):
            tensors.add(node.name)
    return Names(frozenset(bare), frozenset(tensors))


def walk(*roots: object) -> Iterator[object]:
    """Every node of these parts of a tree but the names that it defines, in no order."""
    waiting = [root for root in roots if isinstance(root, tuple)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Span):
            continue
        yield node
        if isinstance(node, tree.Assign | tree.Collect | tree.Share):
            waiting.append(node.pipeline)
        elif isinstance(node, tree.Block):
            waiting += (*node.parameters, *node.body.statements)
        elif not isinstance(node, tree.Targets):
            waiting.extend(child for child in node if isinstance(child, tuple))
