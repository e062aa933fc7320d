"""Parts -> definitions: equal instances of a block become one class or function, with parameters for what differs.

Knows Python expressions and parts; what a layer looks like in a framework comes from its backend.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from netspec.emit.constants import ABSENT, PRESENT, Absent, constants, substitute, without_constants
from netspec.emit.names import Names
from netspec.emit.outline import Item, Leaf, Part, shape_after
from netspec.emit.parameters import (
    IN_CHANNELS,
    WIDTHS,
    Column,
    Known,
    Parameters,
    annotation,
    usual,
)
from netspec.emit.sketch import Sketch
from netspec.emit.source import Call, Expr, Option, flat
from netspec.emit.titles import Titles
from netspec.emit.variants import Group, MayLack, join
from netspec.ir import Graph

POSITIONAL = 2
"""Arguments of a definition that are passed by position; the others are passed by name."""


@dataclass
class Definition:
    """One class or function. `sketches` are those of `part`, with parameters in place of what differs.

    `parameters` have their types, and behind these what most instances give for them, if that is in `defaults`.
    """

    name: str
    part: Part
    parameters: dict[str, str] = field(default_factory=dict)
    sketches: dict[str, Sketch] = field(default_factory=dict)
    defaults: dict[str, object] = field(default_factory=dict)
    uses: int = 1


class Plan(NamedTuple):
    """All definitions, each after those it uses; the last is the network. `of` finds a part's by its path."""

    definitions: list[Definition]
    of: dict[str, Definition]


Describe: TypeAlias = Callable[[Leaf], Sketch]
Absorb: TypeAlias = Callable[[Part, Mapping[str, Sketch]], Sketch | None]


def define(
    graph: Graph,
    root: Part,
    describe: Describe,
    name_of: Callable[[str], str],
    names: Names,
    reserved: Collection[str],
    absorb: Absorb = lambda _part, _sketches: None,
    may_lack: MayLack = lambda _item, _sketch: False,
) -> Plan:
    """Group equal parts, and those that are equal but for what some of them lack.

    `describe` sketches a node; `absorb` may turn a whole group or block into one sketch (a `Sequential`),
    which then needs no definition; `may_lack` tells what an instance of a block may do without;
    `name_of` makes a class or function name of a block's; `reserved` are words that no parameter may have.
    """
    plan = Plan([], {})
    titles = Titles(root, graph.name)
    absorbed: dict[str, Sketch] = {}
    arguments: dict[str, dict[str, Expr]] = {}
    widths = set(WIDTHS)

    def sketch_of(item: Item) -> Sketch:
        if item.owner is not None:
            sketch = describe(item) if isinstance(item, Leaf) else Sketch()
            return Sketch(fixed=f"{sketch.fixed}{flat(sketch.use)} of {item.owner}")
        if isinstance(item, Leaf):
            return describe(item)
        if item.path in absorbed:
            return absorbed[item.path]
        given = list(arguments[item.path].items())
        first, rest = dict(given[:POSITIONAL]), dict(given[POSITIONAL:])
        definition = plan.of[item.path]
        return Sketch((Call(definition.name, first, rest, definition.defaults),))

    for level in _by_height(root):
        groups: dict[tuple[str | None, bool | None], dict[str, Group]] = {}
        for part in level:
            sketches = {item.local: sketch_of(item) for item in part.items}
            if part is not root:
                whole = absorb(part, sketches)
                if whole is not None:
                    absorbed[part.path] = whole
                    continue
            # A stage of the network holds layers by their whole names, any other by a part of them.
            whole_names = None if part.stage_of is None else not part.stage_of
            alike = groups.setdefault((part.block, whole_names), {})
            group = alike.setdefault(_skeleton(part, sketches), Group([], []))
            group.parts.append(part)
            group.sketches.append(sketches)
        for (block, _), alike in groups.items():
            variants = [*alike.values()]
            for group in variants if block is None else join(graph, variants, may_lack):
                title = names.fresh(name_of(titles.of(group.parts)))
                definition = Definition(title, group.parts[0], uses=len(group.parts))
                taken = {*reserved, *names.taken}
                chosen = _parametrise(graph, group, definition, taken, widths)
                for part, values in zip(group.parts, chosen, strict=True):
                    plan.of[part.path] = definition
                    arguments[part.path] = values
                plan.definitions.append(definition)
    return plan


def _by_height(root: Part) -> list[list[Part]]:
    """All parts, those without inner parts first, and the instances of a block together unless it contains itself.

    A later use of a shared part is no part of its own.
    """
    inner: dict[str, list[Part]] = {}
    parts: list[Part] = []
    within: dict[str, set[str]] = {}

    def visit(part: Part, blocks: tuple[str, ...]) -> None:
        own = blocks if part.block is None else (*blocks, part.block)
        for outer in blocks if part.block is not None else ():
            within.setdefault(outer, set()).add(own[-1])
        inner[part.path] = [i for i in part.items if isinstance(i, Part) and i.owner is None]
        for each in inner[part.path]:
            visit(each, own)
        parts.append(part)

    def family(part: Part) -> str | tuple[str]:
        """The block, or else the part alone."""
        block = part.block
        if block is None or any(
            block in within.get(each, ()) for each in {block, *within.get(block, ())}
        ):
            return (part.path,)
        return block

    visit(root, ())
    families: dict[str | tuple[str], list[Part]] = {}
    for part in parts:
        families.setdefault(family(part), []).append(part)
    heights: dict[str | tuple[str], int] = {}

    def height(of: str | tuple[str]) -> int:
        if of not in heights:
            below = {family(each) for part in families[of] for each in inner[part.path]}
            heights[of] = 1 + max(map(height, below), default=-1)
        return heights[of]

    levels: dict[int, list[Part]] = {}
    for part in parts:
        levels.setdefault(height(family(part)), []).append(part)
    return [levels[number] for number in sorted(levels)]


def _skeleton(part: Part, sketches: Mapping[str, Sketch]) -> str:
    """A text that is equal for parts which differ in constants only."""
    numbers = {name: f"in{i}" for i, name in enumerate(part.inputs)}
    rows = []
    for i, item in enumerate(part.items):
        sketch = sketches[item.local]
        shapes = ";".join(map(without_constants, sketch.expressions()))
        reads = ",".join(numbers[name] for name in item.inputs)
        rows.append(f"{item.local}({reads})={shapes}|{sketch.fixed}")
        numbers.update({name: f"{i}.{j}" for j, name in enumerate(item.outputs)})
    return "\n".join([*rows, ",".join(numbers[name] for name in part.outputs)])


def _parametrise(
    graph: Graph,
    group: Group,
    definition: Definition,
    reserved: Collection[str],
    widths: set[str],
) -> list[dict[str, Expr]]:
    """Fill in the definition's sketches and parameters; returns the arguments of each instance."""
    known = _known_columns(graph, group.parts, reserved)
    parameters = Parameters(known, reserved, widths, dict(_reshaping(graph, group)))
    found = [
        (local, hint, column, is_used)
        for local, sketch in group.sketches[0].items()
        for hint, column, is_used in _columns(sketch, [each[local] for each in group.sketches])
    ]
    # What all instances have is named first, then what some lack, and last whether they do.
    words: dict[int, Expr] = {}
    for place, (local, hint, column, is_used) in sorted(
        enumerate(found), key=lambda pair: (pair[1][1] == PRESENT, ABSENT in pair[1][2])
    ):
        words[place] = parameters.word(local, hint, column, is_used)
    replaced = iter([words[place] for place in range(len(found))])
    for local, sketch in group.sketches[0].items():
        definition.sketches[local] = Sketch(
            tuple(substitute(call, replaced) for call in sketch.calls),
            sketch.fixed,
            substitute(sketch.use, replaced),
        )
    columns = parameters.columns()
    for number, (name, column) in enumerate(columns.items()):
        kind, value = annotation(column), usual(column, name in widths)
        if number >= POSITIONAL and not isinstance(value, Absent):
            definition.defaults[name] = value
            kind = f"{kind} = {flat(value)}"
        definition.parameters[name] = kind
    return [{name: column[i] for name, column in columns.items()} for i in range(len(group.parts))]


def _reshaping(graph: Graph, group: Group) -> Iterator[tuple[str, bool]]:
    """The optional items that are constructed, and whether without them something has another shape."""
    for item in group.parts[0].items:
        calls = group.sketches[0][item.local].calls
        if calls and isinstance(calls[0], Option):
            before = graph.by_name[item.inputs[0]].shape
            yield item.local, shape_after(graph, item) != before


def _columns(sketch: Sketch, instances: Sequence[Sketch]) -> Iterator[tuple[str, Column, bool]]:
    """The constants of an item: the argument, the values in all instances, whether it is read where they compute."""
    constructed = sum(len([*constants(call)]) for call in sketch.calls)
    rows = [[pair for expr in each.expressions() for pair in constants(expr)] for each in instances]
    for place, column in enumerate(zip(*rows, strict=True)):
        yield column[0][0], tuple(value for _, value in column), place >= constructed


def _known_columns(
    graph: Graph, parts: Sequence[Part], reserved: Collection[str]
) -> dict[str, Known]:
    """What a parameter may be called: the block's own parameters, then the width of the first input."""
    names = Names({IN_CHANNELS, *reserved})
    columns: dict[str, Known] = {
        names.fresh(name): tuple(part.arguments.get(name) for part in parts)
        for name in parts[0].arguments
    }
    if all(part.inputs for part in parts):
        shapes = [graph.by_name[part.inputs[0]].shape for part in parts]
        if all("c" in shape.axes for shape in shapes):
            columns[IN_CHANNELS] = tuple(shape.axis("c") for shape in shapes)
    return columns
