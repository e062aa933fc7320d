"""Stages: a network too deep for one Keras model, cut into models inside of models. Knows parts and depths only.

Keras builds a model by recursion from its outputs, one call for each layer on the longest path, and Python allows about
a thousand. A model within a model is one layer of that path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from netspec.backends.keras.layer import Layer, layer_name
from netspec.emit.outline import Item, Leaf, Part

DEEP = 700
"""The longest path that stays as it is."""
STAGE = 250
"""The longest path within a stage."""
_HELPER = 2
"""Layers that a helper of the file makes one after another."""


def cut(root: Part, layers: Mapping[str, Layer]) -> None:
    """Gather the items of deep parts into stages, until no part has a path longer than `DEEP`.

    What is shared stays where it is, beside its other uses, so a path of so many shared layers remains.
    """
    paths = {layer_name(name) for name in layers}
    word = "stage"
    while any(re.search(rf"(^|_){word}[0-9]", path) for path in paths):
        word += "_"
    _reduce(root, layers, word)


def _reduce(part: Part, layers: Mapping[str, Layer], word: str) -> int:
    """Cut a part and those in it; returns the length of its longest path."""
    shared = {name for item in part.items if item.owner for name in (item.local, item.owner)}
    weights: dict[str, int] = {}
    for item in part.items:
        if isinstance(item, Leaf):
            steps = layers[item.path].steps
            weights[item.local] = sum(_HELPER if step.helper else 1 for step in steps)
        else:
            inside = 1 if item.owner else _reduce(item, layers, word)
            weights[item.local] = 1 if item.local in shared else inside
    names = (f"{word}{number}" for number in count(1))
    longest, before = _longest(part.items, weights), 0
    while DEEP < longest != before:
        part.items = list(_gathered(part, weights, shared, names))
        weights |= {item.local: 1 for item in part.items if is_stage(item)}
        longest, before = _longest(part.items, weights), longest
    return longest


def is_stage(item: Item) -> bool:
    """Whether an item is a model of its own because of its depth."""
    return isinstance(item, Part) and item.stage_of is not None


def _longest(items: Sequence[Item], weights: Mapping[str, int]) -> int:
    """The length of the longest path through these items."""
    return max(_depths(items, weights), default=0)


def _depths(items: Sequence[Item], weights: Mapping[str, int]) -> Iterator[int]:
    """For each item the length of the longest path that ends with it."""
    depths: dict[str, int] = {}
    for item in items:
        before = max((depths.get(value, 0) for value in item.inputs), default=0)
        depth = before + weights[item.local]
        depths.update(dict.fromkeys(item.outputs, depth))
        yield depth


def _gathered(
    part: Part, weights: Mapping[str, int], shared: set[str], names: Iterator[str]
) -> Iterator[Item]:
    """The part's items, those that stand beside each other and are not shared in stages."""
    last = {value: place for place, item in enumerate(part.items) for value in item.inputs}
    last.update(dict.fromkeys(part.outputs, len(part.items)))
    begin = 0
    while begin < len(part.items):
        end = begin
        while end < len(part.items) and part.items[end].local not in shared:
            end += 1
        while begin < end:
            stop = _stop(part.items[begin:end], weights, last, begin)
            items = part.items[begin:stop]
            light = len(items) == 1 == weights[items[0].local]
            yield items[0] if light else _stage(part, items, next(names), last, stop)
            begin = stop
        if begin < len(part.items):
            yield part.items[begin]
            begin += 1


def _stop(
    items: Sequence[Item], weights: Mapping[str, int], last: Mapping[str, int], begin: int
) -> int:
    """Where a stage that starts with these items ends best: late, and where few values are in use."""
    depths = list(_depths(items, weights))
    room = next((i for i, depth in enumerate(depths) if depth > STAGE), len(items))
    if room == len(items):
        return begin + room
    live: set[str] = set()
    crossing: list[int] = []
    for place, item in enumerate(items[: max(room, 1)], start=begin):
        live.update(item.outputs)
        live = {value for value in live if last.get(value, 0) > place}
        crossing.append(len(live))
    late = range(len(crossing) // 2, len(crossing))
    return begin + 1 + min(late, key=lambda i: (crossing[i], -i))


def _stage(part: Part, items: list[Item], name: str, last: Mapping[str, int], stop: int) -> Part:
    """These items as a part of its own."""
    made = dict.fromkeys(value for item in items for value in item.outputs)
    reads = dict.fromkeys(value for item in items for value in item.inputs)
    title = name if part.block is None else f"{part.block}_{name}"
    return Part(
        path=f"{part.path}.{title}" if part.path else title,
        local=name,
        arguments=part.arguments,
        items=items,
        inputs=[value for value in reads if value not in made],
        outputs=[value for value in made if last.get(value, 0) >= stop],
        stage_of=part.path,
    )
