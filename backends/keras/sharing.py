"""Shared layers inside of one emitted function: what their objects are called, what waits for what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from netspec.backends.keras.layer import Layer, layer_name
from netspec.emit.names import Names, snake
from netspec.emit.outline import Item, Leaf, Part
from netspec.emit.source import Call
from netspec.ir import Graph, Node
from netspec.sharing import places

REVERSIBLE = {"layers.Dense": "ReversibleDense", "layers.Embedding": "ReversibleEmbedding"}
"""Layers that can be tied, and the classes of the prelude that also map the other way."""


def reversible(graph: Graph, layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """The layers, with those of the prelude for nodes whose weights a `tied` borrows."""
    changed = dict(layers)
    for node in graph.nodes:
        if node.op.borrows and node.shares is not None:
            owner = graph.owner(node).name
            steps = []
            for step in layers[owner].steps:
                made = step.layer
                if isinstance(made, Call) and isinstance(made.func, str):
                    made = replace(made, func=REVERSIBLE.get(made.func, made.func))
                steps.append(step._replace(layer=made))
            changed[owner] = layers[owner]._replace(steps=tuple(steps))
    return changed


def place(node: Node) -> str:
    """The path of the use that a sharing node belongs to."""
    pair = places(node.name, node.shares or "")
    return node.name if pair is None else pair[0]


def lenders(part: Part) -> dict[str, str]:
    """For each item that works with another's layers the first such item, by their local names."""
    found: dict[str, str] = {}
    for item in part.items:
        if item.owner is not None:
            found[item.local] = found.get(item.owner, item.owner)
    return found


def objects(
    part: Part, layers: Mapping[str, Layer], taken: Collection[str]
) -> dict[tuple[str, str], str]:
    """The variables of shared layers, by item and step; a shared part is one model, with its inputs."""
    names = Names(taken)
    wanted = set(lenders(part).values())
    found: dict[tuple[str, str], str] = {}
    for item in part.items:
        if item.local not in wanted:
            continue
        suffixes = ["", *_input_suffixes(item)]
        if isinstance(item, Leaf):
            suffixes = [step.suffix for step in layers[item.path].steps if not step.expression]
        for suffix in suffixes:
            name = snake(layer_name(f"{item.local}.{suffix}" if suffix else item.local))
            found[item.local, suffix] = names.fresh(f"{name}_model" if name in taken else name)
    return found


def input_suffix(part: Item, number: int) -> str:
    """How an input of a shared part's model is called, counted from 1."""
    return "input" if len(part.inputs) == 1 else f"input{number}"


def _input_suffixes(part: Item) -> list[str]:
    return [input_suffix(part, number) for number in range(1, len(part.inputs) + 1)]


def names(parts: Iterable[Part]) -> Iterator[str]:
    """The paths of layers that there are for the sake of sharing alone."""
    for part in parts:
        lent = lenders(part)
        for item in part.items:
            if item.local in lent:
                yield f"{item.path}.order"
            elif item.local in lent.values():
                yield from (f"{item.path}.{suffix}" for suffix in _input_suffixes(item))


def waits(graph: Graph, part: Part) -> dict[str, str]:
    """Items that must not run before a value is there, although they do not read it.

    Training moves the statistics of a layer at each of its uses, in the order of the spec. Keras runs a
    model from its inputs to its outputs by distance, whatever the order in which it was put together.
    """
    first_of = lenders(part)
    latest = {item.local: item for item in part.items if item.local in first_of.values()}
    found: dict[str, str] = {}
    for item in part.items:
        first = first_of.get(item.local)
        if first is None or (isinstance(item, Leaf) and item.node.op.borrows):
            continue
        before, latest[first] = latest[first], item
        if _has_statistics(graph, item) and not _leads(graph, before, item):
            found[item.local] = before.outputs[0]
    return found


def _has_statistics(graph: Graph, item: Item) -> bool:
    nodes = [item.node] if isinstance(item, Leaf) else list(item.nodes())
    return any(not weight.trainable for node in nodes for _, weight in graph.weights_of(node))


def _leads(graph: Graph, before: Item, after: Item) -> bool:
    """Whether what one item reads comes of what the other gives."""
    made, seen, waiting = {*before.outputs}, set[str](), [*after.inputs]
    while waiting:
        value = waiting.pop()
        if value in made:
            return True
        if value not in seen:
            seen.add(value)
            waiting += graph.by_name[value].inputs
    return False
