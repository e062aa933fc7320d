"""Instances of one block of which some leave out what others have -> instances of one form, with options.

Knows Python expressions and parts; which items may be left out is for a backend to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple, TypeAlias

from netspec.emit.constants import constants, without_constants
from netspec.emit.outline import Item, Leaf, Part
from netspec.emit.sketch import Sketch
from netspec.emit.source import Call, Expr, Option, Run, arg
from netspec.ir import Graph

TRIALS = 2000
"""Steps of one comparison; parts that take more are not compared to the end."""
LARGEST = 60
"""Items of a part that has variants; the comparison is by recursion."""
CHOICES = 1
"""Items of a block without an object of their own that may be left out: each is a choice in the code that computes."""

Sketches: TypeAlias = Mapping[str, Sketch]
MayLack: TypeAlias = Callable[[Item, Sketch], bool]
"""Whether an item may be left out, so that one of its inputs passes in place of its output."""

Match: TypeAlias = "tuple[Item | int, ...]"
"""For each item of the fullest part another's item, or the number of the input that passes in its place."""


class Group(NamedTuple):
    """Instances that differ in constants only. The sketches of all are under the names of the first one's items."""

    parts: list[Part]
    sketches: list[Sketches]


def join(graph: Graph, groups: Sequence[Group], may_lack: MayLack) -> list[Group]:
    """The groups of one block, those that are a fuller one without some of its items joined with it."""
    waiting = sorted(groups, key=_fullness, reverse=True)
    joined: list[Group] = []
    while waiting:
        full, *others = waiting
        waiting = []
        found: list[tuple[Group, Match]] = [(full, tuple(full.parts[0].items))]
        for other in others:
            match = _Comparison(graph, full, other, may_lack).match()
            if match is not None and _passes([*(m for _, m in found), match]) is not None:
                found.append((other, match))
            else:
                waiting.append(other)
        joined.append(_together(found) if len(found) > 1 else full)
    places = {part.path: i for i, group in enumerate(groups) for part in group.parts}
    return sorted(joined, key=lambda group: min(places[part.path] for part in group.parts))


def _fullness(group: Group) -> tuple[int, int]:
    sketches = group.sketches[0].values()
    elements = (_elements(call) or () for sketch in sketches for call in sketch.calls)
    return len(group.parts[0].items), sum(map(len, elements))


def _passes(matches: Sequence[Match]) -> list[int | None] | None:
    """For each item the input that passes where it is left out, or None; None for all if instances differ in it."""
    passes: list[int | None] = []
    for column in zip(*matches, strict=True):
        numbers = {place for place in column if isinstance(place, int)}
        if len(numbers) > 1:
            return None
        passes.append(numbers.pop() if numbers else None)
    return passes


def _together(found: Sequence[tuple[Group, Match]]) -> Group:
    """All instances with sketches of one form: what some leave out is an option for all."""
    full = found[0][0]
    passes = _passes([match for _, match in found]) or []
    rows: list[dict[str, Sketch]] = []
    for group, match in found:
        for sketches in group.sketches:
            row: dict[str, Sketch] = {}
            for item, other, passing in zip(full.parts[0].items, match, passes, strict=True):
                is_there = not isinstance(other, int)
                sketch = (
                    full.sketches[0][item.local]
                    if isinstance(other, int)
                    else sketches[other.local]
                )
                row[item.local] = (
                    sketch if passing is None else _optional(sketch, is_there, passing)
                )
            rows.append(row)
    for name in full.sketches[0]:
        _align(rows, name)
    return Group([part for group, _ in found for part in group.parts], [*rows])


def _optional(sketch: Sketch, is_there: bool, passing: int) -> Sketch:
    """A choice of what is constructed, or else of what is computed."""
    if sketch.calls:
        return sketch._replace(
            calls=tuple(Option(made, is_there, arg(passing)) for made in sketch.calls)
        )
    return sketch._replace(use=Option(sketch.use, is_there, arg(passing)))


def _elements(expr: Expr) -> list[Expr] | None:
    """The elements of a call that takes a list of objects as its arguments."""
    if not isinstance(expr, Call) or expr.keywords or expr.on is not None:
        return None
    values = [*expr.positional.values()]
    numbered = [*expr.positional] == [str(i) for i in range(len(values))]
    return values if numbered and all(isinstance(value, Call | Run) for value in values) else None


def _places(full: Expr, other: Expr) -> list[int] | None:
    """Where the elements of one call stand among those of another, if it is that call without some of them.

    Of several ways to place them it is the one in which constants agree most.
    """
    given, wanted = _elements(full), _elements(other)
    if not given or not wanted or getattr(full, "func", "") != getattr(other, "func", ""):
        return None
    best: list[tuple[int, list[int]] | None] = [(0, []) for _ in range(len(given) + 1)]
    for element in wanted:
        # best[i]: the best way to place the elements so far among the first i.
        ways: list[tuple[int, list[int]] | None] = [None]
        for i, each in enumerate(given):
            way, before = ways[i], best[i]
            if before is not None and without_constants(each) == without_constants(element):
                score = before[0] + _agreement(each, element)
                if way is None or score > way[0]:
                    way = (score, [*before[1], i])
            ways.append(way)
        best = ways
    return None if best[-1] is None else best[-1][1]


def _agreement(a: Expr, b: Expr) -> int:
    """How much the constants of two calls agree, and in which of them are equal to each other."""
    first, second = ([value for _, value in constants(each)] for each in (a, b))
    alike = sum(x == y for x, y in zip(first, second, strict=True))
    pairs = zip(combinations(first, 2), combinations(second, 2), strict=True)
    return alike + sum((x == y) == (z == w) for (x, y), (z, w) in pairs)


def _align(rows: Sequence[dict[str, Sketch]], name: str) -> None:
    """Give the instances' lists of elements one form: that of the longest, with options."""
    lists = [row[name].calls[0] for row in rows if row[name].calls]
    if len({without_constants(each) for each in lists}) < 2:
        return
    longest = max(lists, key=lambda each: len(_elements(each) or ()))
    places = [_places(longest, each) or [] for each in lists]
    always = set(places[0]).intersection(*places)
    model = _elements(longest) or []
    for row, call, own in zip(rows, lists, places, strict=True):
        assert isinstance(call, Call)
        mine = dict(zip(own, call.positional.values(), strict=True))
        elements: dict[str, Expr] = {}
        for i, element in enumerate(model):
            value = mine.get(i, element)
            elements[str(i)] = value if i in always else Option(value, i in mine)
        row[name] = row[name]._replace(calls=(Call(call.func, elements), *row[name].calls[1:]))


class _Comparison:
    """One part that may be another without some of its items."""

    def __init__(self, graph: Graph, full: Group, other: Group, may_lack: MayLack) -> None:
        self._graph = graph
        self._full, self._other = full.parts[0], other.parts[0]
        self._full_sketches, self._sketches = full.sketches[0], other.sketches[0]
        self._may_lack = may_lack
        self._trials = TRIALS

    def match(self) -> Match | None:
        """How the items correspond, or None where they do not."""
        full, other = self._full, self._other
        sizes = [sum(1 for _ in part.nodes()) for part in (full, other)]
        comparable = len(full.items) <= LARGEST and sizes[0] <= 2 * sizes[1]
        alone = all(item.owner is None for part in (full, other) for item in part.items)
        if not (comparable and alone) or len(full.inputs) != len(other.inputs):
            return None
        return self._from(0, 0, dict(zip(full.inputs, other.inputs, strict=True)), CHOICES)

    def _from(self, i: int, j: int, values: dict[str, str], choices: int) -> Match | None:
        """The rest of the match, behind `i` items of the fuller part and `j` of the other.

        `values` are those of the other part by those of the fuller one.
        """
        self._trials -= 1
        full, other = self._full.items, self._other.items
        if self._trials < 0 or len(full) - i < len(other) - j:
            return None
        if i == len(full):
            ends = [values[name] for name in self._full.outputs]
            return () if j == len(other) and ends == self._other.outputs else None
        item = full[i]
        reads = [values[name] for name in item.inputs]
        if j < len(other) and [*other[j].inputs] == reads and self._is_like(item, other[j]):
            made = dict(zip(item.outputs, other[j].outputs, strict=True))
            rest = self._from(i + 1, j + 1, {**values, **made}, choices)
            if rest is not None:
                return (other[j], *rest)
        sketch = self._full_sketches[item.local]
        left = choices if sketch.calls else choices - 1
        if left >= 0 and self._may_lack(item, sketch):
            for number, value in enumerate(reads):
                rest = self._from(i + 1, j, {**values, item.outputs[0]: value}, left)
                if rest is not None:
                    return (number, *rest)
        return None

    def _is_like(self, item: Item, other: Item) -> bool:
        """Whether two items differ in constants only, or in elements that one list has and the other has not."""
        if type(item) is not type(other) or len(item.outputs) != len(other.outputs):
            return False
        if item.local != other.local and not (self._is_nameless(item) and self._is_nameless(other)):
            return False
        mine, theirs = self._full_sketches[item.local], self._sketches[other.local]
        if mine.fixed != theirs.fixed or len(mine.calls) != len(theirs.calls):
            return False
        pairs = zip(mine.expressions(), theirs.expressions(), strict=True)
        unlike = [(a, b) for a, b in pairs if without_constants(a) != without_constants(b)]
        return not unlike or (
            len(unlike) == len(mine.calls) == 1 and _places(*unlike[0]) is not None
        )

    def _is_nameless(self, item: Item) -> bool:
        """Whether an item has weights and a label neither, so that its name tells nothing."""
        if not isinstance(item, Leaf) or self._graph.weights_of(item.node):
            return False
        return re.fullmatch(rf"{item.node.op.kind}[0-9]+", item.local) is not None
