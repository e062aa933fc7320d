"""Chains of layers as `nn.Sequential`, with elements that repeat written once. Knows no op."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise

from netspec.backends.torch.layer import APPLIED
from netspec.emit.outline import Part
from netspec.emit.sketch import Sketch
from netspec.emit.source import (
    INDENT,
    INDEX,
    Call,
    Code,
    Expr,
    Infix,
    Items,
    Numbered,
    Option,
    Pair,
    Run,
    flat,
    layout,
)

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
        return _ordered({"0": Run(pair, len(names), INDEX)}), True
    if any(not name.isidentifier() for name in names):
        return _ordered({"0": Items(tuple(_pairs(elements)))}), False
    return _ordered({}, elements), False


def _pairs(elements: Mapping[str, Expr]) -> Iterator[Expr]:
    """Names and elements; a run of equal ones, whose names count on, as one."""
    run: list[tuple[str, str, Expr]] = []  # a name's beginning, its number, the element
    for name, value in elements.items():
        found = re.fullmatch(r"(.*?)(0|[1-9][0-9]*)", name)
        begin, number = (found[1], found[2]) if found else (name, "")
        if run and not _counts_on(run[-1], (begin, number, value)):
            yield from _run(run)
            run = []
        run.append((begin, number, value))
    yield from _run(run)


def _counts_on(last: tuple[str, str, Expr], following: tuple[str, str, Expr]) -> bool:
    (begin, number, value), (other, more, another) = last, following
    return begin == other and value == another and bool(number) and more == str(int(number) + 1)


def _run(run: Sequence[tuple[str, str, Expr]]) -> Iterator[Expr]:
    begin, number, value = run[0]
    if len(run) >= FEWEST:
        yield Run(Pair(Numbered(begin, int(number)), value), len(run), "i", spread=True)
    else:
        yield from (Pair(begin + number, value) for begin, number, value in run)


def is_list(part: Part, sketches: Mapping[str, Sketch]) -> bool:
    """Whether a part is several modules, called by their numbers, each applied to the result of the one before."""
    value = part.inputs[0] if len(part.inputs) == 1 else None
    for i, item in enumerate(part.items):
        sketch = sketches[item.local]
        plain = len(sketch.calls) == 1 and sketch.use in (None, APPLIED) and item.owner is None
        plain &= not any(isinstance(each, Option) and each.is_choice for each in sketch.calls)
        if item.local != str(i) or not plain or [*item.inputs] != [value] or len(item.outputs) > 1:
            return False
        value = item.outputs[0]
    return len(part.items) > 1 and part.outputs == [value]


def statements(
    call: Call, variable: str, before: str = "", after: str = "", indent: int = 2
) -> list[str]:
    """`nn.Sequential(...)` between two texts; where some elements are optional, a list is put together before.

    The call's other elements stand in the list as they are.
    """
    elements = list(call.positional.values())
    if not any(isinstance(element, Option) for element in elements):
        return layout(call, before=before, after=after, indent=indent)
    lines: list[str] = []
    for condition, group in groupby(elements, _condition):
        values = [each.element if isinstance(each, Option) else each for each in group]
        if not lines:
            first = Items(tuple(values) if condition is None else ())
            lines += layout(first, before=f"{variable}: list[nn.Module] = ", indent=indent)
        elif condition is None:
            lines += _more(variable, values, indent)
        if condition is not None:
            lines.append(f"{INDENT * indent}if {condition}:")
            lines += _more(variable, values, indent + 1)
    whole = Call(call.func, {"0": Code(f"*{variable}")})
    return [*lines, *layout(whole, before=before, after=after, indent=indent)]


def _condition(element: Expr) -> str | None:
    return flat(element.condition) if isinstance(element, Option) else None


def _more(variable: str, values: Sequence[Expr], indent: int) -> list[str]:
    if len(values) == 1 and not isinstance(values[0], Run):
        return layout(Call(f"{variable}.append", {"0": values[0]}), indent=indent)
    return layout(Items(tuple(values)), before=f"{variable} += ", indent=indent)


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
    """What all are, at the index: a call whose whole numbers may grow with it, or None."""
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
    return Infix("+", (first, Code(INDEX if step == 1 else f"{step} * {INDEX}")))
