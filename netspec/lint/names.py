"""What stands in a part of a tree, and which names it reads. A definition is no reading. Knows no rules."""

from __future__ import annotations

from typing import Any, NamedTuple

from netspec.language import tree
from netspec.source import Span


class Names(NamedTuple):
    """The bare names (variables, ops, blocks) and the tensors that are read."""

    bare: frozenset[str]
    tensors: frozenset[str]


class Part(NamedTuple):
    """Every node of a part of a tree but the names that it defines, in no order, and what these nodes read."""

    nodes: tuple[object, ...]
    names: Names


_PASSED: tuple[type, ...] = (Span, tree.Targets)
_NAMING: tuple[type, ...] = (tree.Assign, tree.Collect, tree.Share)


def walk(root: object) -> Part:
    """What stands in a part of a tree, at any depth."""
    nodes: list[object] = []
    bare, tensors = set[str](), set[str]()
    waiting: list[Any] = [root] if isinstance(root, tuple) else []
    while waiting:
        node = waiting.pop()
        kind = type(node)
        if kind in _PASSED:
            continue
        nodes.append(node)
        if kind is tree.Name:
            bare.add(node.name)
        elif kind is tree.Tensor:
            tensors.add(node.name)
        elif kind in _NAMING:
            waiting.append(node.pipeline)
        else:
            waiting.extend(child for child in node if isinstance(child, tuple))
    return Part(tuple(nodes), Names(frozenset(bare), frozenset(tensors)))


def parts_of(item: object) -> tuple[object, ...]:
    """A block's parameters and its body, without its name; any other item of a file as it is."""
    return (*item.parameters, item.body) if isinstance(item, tree.Block) else (item,)
