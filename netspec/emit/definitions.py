"""Parts -> definitions: equal instances of a block become one class or function, with parameters for what differs.

Knows Python expressions and parts; what a layer looks like in a framework comes from its backend.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from netspec.emit.constants import ABSENT, PRESENT, Absent, constants, substitute, without_constants
from netspec.emit.levels import by_height
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
from netspec.emit.recursion import (
    close,
    inner_arguments,
    inner_of,
    is_flagged,
    open_sketch,
    towers,
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
    planner = _Planner(graph, root, describe, name_of, names, reserved, absorb, may_lack)
    nested = towers(root)
    for level in by_height(root, nested):
        planner.place([part for part in level if part.path not in nested])
        blocks: dict[str | None, list[Part]] = {}
        for part in level:
            if part.path in nested:
                blocks.setdefault(part.block, []).append(part)
        for parts in blocks.values():
            if not planner.stack(parts):
                for height in sorted({nested[part.path] for part in parts}):
                    planner.place([part for part in parts if nested[part.path] == height])
    return planner.plan


class _Planner:
    """One run over one network: the definitions so far, and what stands for the parts that have one."""

    def __init__(
        self,
        graph: Graph,
        root: Part,
        describe: Describe,
        name_of: Callable[[str], str],
        names: Names,
        reserved: Collection[str],
        absorb: Absorb,
        may_lack: MayLack,
    ) -> None:
        self.graph = graph
        self.root = root
        self.describe = describe
        self.name_of = name_of
        self.names = names
        self.reserved = reserved
        self.absorb = absorb
        self.may_lack = may_lack
        self.plan = Plan([], {})
        self._titles = Titles(root, graph.name)
        self._absorbed: dict[str, Sketch] = {}
        self._arguments: dict[str, dict[str, Expr]] = {}
        self._widths = set(WIDTHS)

    def place(self, parts: Sequence[Part]) -> None:
        """Give parts their definitions, or sketches of which they are an element; all that is within them has it."""
        groups: dict[tuple[str | None, bool | None], dict[str, Group]] = {}
        for part in parts:
            sketches = {item.local: self._sketch_of(item) for item in part.items}
            if part is not self.root:
                whole = self.absorb(part, sketches)
                if whole is not None:
                    self._absorbed[part.path] = whole
                    continue
            # A stage of the network holds layers by their whole names, any other by a part of them.
            whole_names = None if part.stage_of is None else not part.stage_of
            alike = groups.setdefault((part.block, whole_names), {})
            group = alike.setdefault(_skeleton(part, sketches), Group([], []))
            group.parts.append(part)
            group.sketches.append(sketches)
        for (block, _), alike in groups.items():
            variants = [*alike.values()]
            for group in variants if block is None else join(self.graph, variants, self.may_lack):
                self._add(self._draft(group))

    def stack(self, parts: Sequence[Part]) -> bool:
        """Make one definition that calls itself for parts that hold each other, if that is possible.

        Each tells how the one within it is made by its own parameters. Where none of these tells which is the
        innermost, one more does: how many follow.
        """
        paths = {part.path for part in parts}
        rows: list[dict[str, Sketch]] = []
        for part in parts:
            inner = inner_of(part)
            opened = {inner.local: open_sketch(innermost=inner.path not in paths)}
            rows.append({i.local: opened.get(i.local) or self._sketch_of(i) for i in part.items})
        group = Group([*parts], [*rows])
        bases = [inner for part in parts if (inner := inner_of(part)).path not in paths]
        owners = {id(self.plan.of.get(base.path)): self.plan.of.get(base.path) for base in bases}
        (base, *others) = owners.values()
        alike = len({*map(_skeleton, parts, rows)}) == 1
        if base is None or others or not alike or len(bases) == len(parts):
            return False
        general = self._generalised(base, bases, group)
        given = general.arguments(bases) if general else self._arguments
        innermost = [given.get(inner_of(part).path, {}) for part in parts]
        nested = towers(self.root)
        for more in ({}, {"depth": tuple(nested[part.path] for part in parts)}):
            draft = self._draft(group, more)
            words = inner_arguments(parts, draft.parameters, innermost)
            if words is not None and not is_flagged(draft.sketches, draft.parameters):
                break
        else:
            return False
        if general:
            general.fill_in(base)
            self._arguments |= general.arguments(bases)
        definition = self._add(draft)
        last, itself = (
            _call(each, {name: words[name] for name in each.parameters})
            for each in (base, definition)
        )
        close(definition.sketches, last, itself)
        return True

    def _generalised(self, base: Definition, parts: Sequence[Part], tower: Group) -> _Draft | None:
        """The innermost definition as it would be if those around it were instances of it too, where they may be."""
        rows = [{item.local: self._sketch_of(item) for item in part.items} for part in parts]
        outer = [{local: each.get(local, Sketch()) for local in rows[0]} for each in tower.sketches]
        if len(parts) < base.uses or len({*map(_form, [*rows, *outer])}) > 1:
            return None
        return self._draft(Group([*parts, *tower.parts], [*rows, *outer]))

    def _sketch_of(self, item: Item) -> Sketch:
        if item.owner is not None:
            sketch = self.describe(item) if isinstance(item, Leaf) else Sketch()
            return Sketch(fixed=f"{sketch.fixed}{flat(sketch.use)} of {item.owner}")
        if isinstance(item, Leaf):
            return self.describe(item)
        if item.path in self._absorbed:
            return self._absorbed[item.path]
        return Sketch((_call(self.plan.of[item.path], self._arguments[item.path]),))

    def _draft(self, group: Group, more: Mapping[str, Known] = MappingProxyType({})) -> _Draft:
        """What the definition of a group looks like; its parameters may be of the columns in `more`, too."""
        reserved = {*self.reserved, *self.names.taken}
        known = _known_columns(self.graph, group.parts, reserved)
        known |= {name: column for name, column in more.items() if name not in known}
        widths = {*self._widths}
        parameters = Parameters(known, reserved, widths, dict(_reshaping(self.graph, group)))
        return _Draft(group, parameters, _sketches(group, parameters), widths)

    def _add(self, draft: _Draft) -> Definition:
        parts = draft.group.parts
        name = self.names.fresh(self.name_of(self._titles.of(parts)))
        definition = Definition(name, parts[0], uses=len(parts))
        draft.fill_in(definition)
        self._widths |= draft.widths
        self._arguments |= draft.arguments(parts)
        self.plan.of.update(dict.fromkeys((part.path for part in parts), definition))
        self.plan.definitions.append(definition)
        return definition


class _Draft(NamedTuple):
    """A definition that is not part of the plan yet. `widths` are the arguments that say how wide something is."""

    group: Group
    parameters: Parameters
    sketches: dict[str, Sketch]
    widths: set[str]

    def arguments(self, parts: Sequence[Part]) -> dict[str, dict[str, Expr]]:
        """What each of these parts, the first ones of the group, gives for the parameters, by its path."""
        columns = self.parameters.columns()
        return {
            part.path: {name: column[i] for name, column in columns.items()}
            for i, part in enumerate(parts)
        }

    def fill_in(self, definition: Definition) -> None:
        """Give a definition these sketches and parameters, in place of those that it has."""
        definition.sketches = self.sketches
        definition.parameters, definition.defaults = {}, {}
        for number, (name, column) in enumerate(self.parameters.columns().items()):
            kind, value = annotation(column), usual(column, name in self.widths)
            if number >= POSITIONAL and not isinstance(value, Absent):
                definition.defaults[name] = value
                kind = f"{kind} = {flat(value)}"
            definition.parameters[name] = kind


def _form(sketches: Mapping[str, Sketch]) -> str:
    """A text that is equal for sketches which differ in constants only."""
    return "\n".join(
        f"{local}={';'.join(map(without_constants, sketch.expressions()))}|{sketch.fixed}"
        for local, sketch in sketches.items()
    )


def _call(definition: Definition, arguments: Mapping[str, Expr]) -> Call:
    given = list(arguments.items())
    first, rest = dict(given[:POSITIONAL]), dict(given[POSITIONAL:])
    return Call(definition.name, first, rest, definition.defaults)


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


def _sketches(group: Group, parameters: Parameters) -> dict[str, Sketch]:
    """The sketches of the first instance, with words for what differs between all of them."""
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
    return {
        local: Sketch(
            tuple(substitute(call, replaced) for call in sketch.calls),
            sketch.fixed,
            substitute(sketch.use, replaced),
        )
        for local, sketch in group.sketches[0].items()
    }


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
