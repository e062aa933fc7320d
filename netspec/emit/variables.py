"""Names for the tensors inside one emitted function: the spec's; else `x` runs on, and branches tell their part."""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from keyword import iskeyword
from types import MappingProxyType

from netspec.emit.names import snake
from netspec.emit.outline import Item, Leaf, Part
from netspec.ir import Graph

_STREAM = re.compile(r"x[0-9]*")
_BUILT_IN = frozenset(dir(builtins))


def name_tensors(
    graph: Graph,
    part: Part,
    hidden: Collection[str] = (),
    kept: Mapping[str, str] = MappingProxyType({}),
    reserved: Collection[str] = (),
    waits: Mapping[str, str] = MappingProxyType({}),
    passing: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """A variable for every value that the part reads or computes, but those in `hidden`.

    What the spec calls a tensor in this part is its name. `hidden` values are written inside the expression that
    uses them, so they need no variable. `kept` values have names that they hold to the end of the function. No
    variable is called like a word in `reserved`, nor, but for inputs, like one of Python's own. `waits` tells for
    some items, by local name, of one more value that they read. A value that may be left out is called as the one
    that is `passing` in its place, unless that one is still needed.
    """
    maker = {value: i for i, item in enumerate(part.items) for value in item.outputs}
    last_use = {**_last_uses(part, hidden, maker), **dict.fromkeys(kept, len(part.items))}
    for i, item in enumerate(part.items):
        if (value := waits.get(item.local)) is not None:
            last_use[value] = max(last_use.get(value, i), i)
    path = part.path if part.stage_of is None else part.stage_of
    said = {value: snake(name) for value, name in graph.tensors.get(path, {}).items()}
    wanted = {**_branch_names(part, maker), **said, **kept}
    names = _input_names(part, wanted if part.path else kept, reserved)
    live = dict(names)
    for i, item in enumerate(part.items):
        dying = [v for v in live if last_use.get(v, -1) <= i]
        for value in item.outputs:
            if value in hidden:
                continue
            free = {live[v] for v in dying}
            read = [live[v] for v in _reads(item, part, hidden, maker) if v in dying]
            inherited = next((name for name in read if _STREAM.fullmatch(name)), "x")
            taken = {*live.values()} - free
            title = wanted.get(value, inherited)
            if passing.get(value) in dying:
                title = live[passing[value]]
            names[value] = _free(title, taken.union(reserved, _BUILT_IN))
            for dead in [v for v in dying if live[v] == names[value]]:
                del live[dead]
                dying.remove(dead)
            live[value] = names[value]
        if any(value not in hidden for value in item.outputs):
            for dead in dying:
                live.pop(dead, None)
    return names


def _free(wanted: str, taken: Collection[str]) -> str:
    name, number = wanted, 1
    while name in taken or iskeyword(name):
        number += 1
        name = f"{wanted}{number}"
    return name


def _input_names(
    part: Part, wanted: Mapping[str, str], reserved: Collection[str]
) -> dict[str, str]:
    """One input is `x`, several are numbered; the inputs of a network have their own names."""
    names: dict[str, str] = {}
    alone = sum(value not in wanted for value in part.inputs) == 1
    is_stream = alone and (part.path != "" or len(part.inputs) == 1)
    for number, value in enumerate(part.inputs, start=1):
        usual = snake(value.split(".")[-1]) if not part.path else f"x{number}"
        title = wanted.get(value, "x" if is_stream else usual)
        names[value] = _free(title, {*names.values(), *reserved})
    return names


def _reads(item: Item, part: Part, hidden: Collection[str], maker: Mapping[str, int]) -> list[str]:
    """The variables that an item's expression reads, through the hidden values inside it."""
    found: list[str] = []
    for value in item.inputs:
        found += (
            _reads(part.items[maker[value]], part, hidden, maker) if value in hidden else [value]
        )
    return found


def _last_uses(part: Part, hidden: Collection[str], maker: Mapping[str, int]) -> dict[str, int]:
    """For each value the place of the last item whose expression reads it; results are used at the end."""
    last: dict[str, int] = {}
    for i, item in enumerate(part.items):
        if all(value in hidden for value in item.outputs):
            continue
        for value in _reads(item, part, hidden, maker):
            last[value] = i
    last.update({value: len(part.items) for value in part.outputs})
    return last


def _branch_names(part: Part, maker: Mapping[str, int]) -> dict[str, str]:
    """`main` and `skip` for the two arms of a sum, `gate` for a factor, `branch1`... for the rest.

    Where an op has a word for its second branch, only that one's value is called so.
    """
    readers: dict[str, int] = {}
    for item in part.items:
        for value in item.inputs:
            readers[value] = readers.get(value, 0) + 1
    names: dict[str, str] = {}
    for item in part.items:
        if not (isinstance(item, Leaf) and item.node.op.merges and len(item.inputs) > 1):
            continue
        if (word := item.node.op.beside) is not None:
            names.update(dict.fromkeys(item.inputs[1:], word))
            continue
        arms = [_arm(value, part, maker, readers) for value in item.inputs]
        for title, arm in zip(_titles(item.node.op.kind, arms), arms, strict=True):
            word = _label(arm, part, maker) if title.startswith("branch") else ""
            for value in arm:
                names.setdefault(value, word or title)
    return names


def _arm(value: str, part: Part, maker: Mapping[str, int], readers: Mapping[str, int]) -> list[str]:
    """The values from `value` back to where its branch begins: a merge, or a value with other readers."""
    arm: list[str] = []
    while value in maker and readers[value] == 1 and value not in part.outputs:
        arm.append(value)
        item = part.items[maker[value]]
        if len(item.inputs) != 1 or len(item.outputs) != 1:
            break
        value = item.inputs[0]
    return arm


def _label(arm: Sequence[str], part: Part, maker: Mapping[str, int]) -> str:
    """What the labels of an arm begin with in common: `branch3x3` of `branch3x3_1` and `branch3x3_2`."""
    items = [part.items[maker[value]] for value in arm]
    labels = [item.local for item in items if not _is_numbered(item)]
    letters = zip(*labels, strict=False)
    common = "".join(each[0] for each in takewhile(lambda each: len({*each}) == 1, letters))
    if any(label[len(common) :][:1].isdigit() for label in labels):
        common = common.rstrip("0123456789")  # the first digits of several numbers
    return snake(common) if len(common) > 3 and common[0].isalpha() else ""


def _is_numbered(item: Item) -> bool:
    """Whether nobody gave it a label."""
    if len(item.outputs) > 1:
        return True
    kind = item.node.op.kind if isinstance(item, Leaf) else item.block
    return kind is not None and re.fullmatch(rf"{kind}[0-9]+", item.local) is not None


def _titles(kind: str, arms: Sequence[Sequence[str]]) -> list[str]:
    if kind == "add" and len(arms) == 2:
        return ["main", "skip"] if arms[0] else ["skip", "main"]
    if kind == "mul" and sum(map(bool, arms)) == 1:
        return ["gate"] * len(arms)
    if sum(map(bool, arms)) == 1 and len(arms) > 1:
        return ["branch"] * len(arms)
    return [f"branch{i}" for i in range(1, len(arms) + 1)]
