"""Chains of layers as `nn.Sequential`, with elements that repeat written once. Knows no op."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from netspec.emit.source import Call, Code, Expr, Infix, Items, Numbered, Pair, Run

FEWEST = 3
"""Elements that are worth a comprehension."""


def sequential(elements: Mapping[str, Expr]) -> tuple[Call, bool]:
    """The `nn.Sequential` of elements by name, and whether they all are one that repeats."""
    names, values = [*elements], [*elements.values()]
    if names == [str(i) for i in range(len(names))]:
        return Call("nn.Sequential", _numbered(values)), False
    ends = [re.fullmatch(r"(.*?)([0-9]+)", name) for name in names]
    prefixes = {end[1] if end else None for end in ends}
    first = int(ends[0][2]) if ends[0] else 0
    together = _repeated(values)
    if (
        together is not None
        and len(prefixes) == 1
        and names == [f"{ends[0][1]}{first + i}" for i in range(len(names))]  # type: ignore[index]
    ):
        pair = Pair(Numbered(ends[0][1], first), together)  # type: ignore[index]
        return _ordered({"0": Run(pair, len(names), "i")}), True
    if any(not name.isidentifier() for name in names):
        pairs = tuple(Pair(name, value) for name, value in elements.items())
        return _ordered({"0": Items(pairs)}), False
    return _ordered({}, elements), False


def _ordered(positional: Mapping[str, Expr], elements: Mapping[str, Expr] | None = None) -> Call:
    return Call("nn.Sequential", {"0": Call("OrderedDict", positional, elements or {})})


def _numbered(values: Sequence[Expr]) -> dict[str, Expr]:
    """Elements by their number, a run of equal ones as one."""
    found: dict[str, Expr] = {}
    place = 0
    for value, group in groupby(values):
        count = len([*group])
        if count >= FEWEST:
            found[str(place)] = Run(value, count, spread=True)
        else:
            found |= {str(place + i): value for i in range(count)}
        place += count
    return found


def _repeated(values: Sequence[Expr]) -> Expr:
    """What all are, at the index `i`: a call whose whole numbers may grow with it, or None."""
    first = values[0]
    if len(values) < FEWEST or not isinstance(first, Call):
        return None
    calls = [value for value in values if isinstance(value, Call) and value.func == first.func]
    if len(calls) < len(values):
        return None
    positional = {
        name: _progression([call.positional.get(name) for call in calls])
        for name in first.positional
    }
    keywords = {
        name: _progression([call.keywords.get(name) for call in calls]) for name in first.keywords
    }
    made = Call(first.func, positional, keywords, first.defaults, first.on)
    return None if Code() in (*positional.values(), *keywords.values()) else made


def _progression(column: Sequence[Expr]) -> Expr:
    """Equal values, or `first + step * i`; empty code for what is neither."""
    first = column[0]
    if all(type(value) is type(first) and value == first for value in column):
        return first
    numbers = [value for value in column if type(value) is int]
    if len(numbers) < len(column):
        return Code()
    steps = {after - before for before, after in pairwise(numbers)}
    step = steps.pop()
    if steps or step < 0:
        return Code()
    return Infix("+", (first, Code("i" if step == 1 else f"{step} * i")))
