"""Parts -> definitions: equal instances of a block become one class or function, with parameters for what differs.

Knows Python expressions and parts; what a layer looks like in a framework comes from its backend.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

from netspec.emit.names import Names
from netspec.emit.outline import Item, Leaf, Part
from netspec.emit.source import Call, Code, Expr, Infix, Items, Pair, Run, Subscript, flat
from netspec.emit.titles import Titles
from netspec.ir import Graph

POSITIONAL = 2
"""Arguments of a definition that are passed by position; the others are passed by name."""

IN_CHANNELS = "in_channels"
_WIDTHS = (
    *("in_channels", "in_features", "num_features", "normalized_shape", "groups"),
    *("out_channels", "out_features", "filters", "units"),
)
"""Arguments that may be said in terms of the width of the block's input."""

_DIGITS = "0123456789"

Constant: TypeAlias = "int | float | bool | str | tuple[Any, ...] | None"


class Sketch(NamedTuple):
    """How one item looks in source: calls whose constants may become parameters, and text that may not.

    `use` is the expression of its application, where a target has one beside the construction; its constants
    may become parameters too. What works with the layers of another item has no calls.
    """

    calls: tuple[Expr, ...] = ()
    fixed: str = ""
    use: Expr = None

    def expressions(self) -> tuple[Expr, ...]:
        """All whose constants may become parameters."""
        return (*self.calls, self.use)


@dataclass
class Definition:
    """One class or function. `sketches` are those of `part`, with parameters in place of what differs."""

    name: str
    part: Part
    parameters: dict[str, str] = field(default_factory=dict)
    sketches: dict[str, Sketch] = field(default_factory=dict)
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
) -> Plan:
    """Group equal parts.

    `describe` sketches a node; `absorb` may turn a whole group or block into one sketch (a `Sequential`),
    which then needs no definition; `name_of` makes a class or function name
    of a block's; `reserved` are words that no parameter may have.
    """
    plan = Plan([], {})
    titles = Titles(root, graph.name)
    sketches: dict[str, dict[str, Sketch]] = {}
    absorbed: dict[str, Sketch] = {}
    arguments: dict[str, dict[str, Expr]] = {}

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
        return Sketch((Call(plan.of[item.path].name, first, rest),))

    for level in _by_height(root):
        groups: dict[tuple[str | None, bool | None, str], list[Part]] = {}
        for part in level:
            sketches[part.path] = {item.local: sketch_of(item) for item in part.items}
            if part is not root:
                whole = absorb(part, sketches[part.path])
                if whole is not None:
                    absorbed[part.path] = whole
                    continue
            # A stage of the network holds layers by their whole names, any other by a part of them.
            whole_names = None if part.stage_of is None else not part.stage_of
            key = (part.block, whole_names, _skeleton(part, sketches[part.path]))
            groups.setdefault(key, []).append(part)
        for same in groups.values():
            title = names.fresh(name_of(titles.of(same[0])))
            definition = Definition(title, same[0], uses=len(same))
            chosen = _parametrise(
                graph,
                same,
                [sketches[part.path] for part in same],
                definition,
                {*reserved, *names.taken},
            )
            for part, values in zip(same, chosen, strict=True):
                plan.of[part.path] = definition
                arguments[part.path] = values
            plan.definitions.append(definition)
    return plan


def _by_height(root: Part) -> list[list[Part]]:
    """All parts, those without inner parts first. A later use of a shared part is no part of its own."""
    levels: list[list[Part]] = []

    def visit(part: Part) -> int:
        inner = [visit(i) for i in part.items if isinstance(i, Part) and i.owner is None]
        height = 1 + max(inner, default=-1)
        while len(levels) <= height:
            levels.append([])
        levels[height].append(part)
        return height

    visit(root)
    return levels


def _skeleton(part: Part, sketches: Mapping[str, Sketch]) -> str:
    """A text that is equal for parts which differ in constants only."""
    numbers = {name: f"in{i}" for i, name in enumerate(part.inputs)}
    rows = []
    for i, item in enumerate(part.items):
        sketch = sketches[item.local]
        shapes = ";".join(map(_outline_of, sketch.expressions()))
        reads = ",".join(numbers[name] for name in item.inputs)
        rows.append(f"{item.local}({reads})={shapes}|{sketch.fixed}")
        numbers.update({name: f"{i}.{j}" for j, name in enumerate(item.outputs)})
    return "\n".join([*rows, ",".join(numbers[name] for name in part.outputs)])


def _outline_of(expr: Expr) -> str:
    match expr:
        case Call():
            named = {**expr.positional, **expr.keywords}
            inner = ",".join(f"{name}={_outline_of(value)}" for name, value in named.items())
            return f"{_outline_of(expr.on)}.{expr.func}({inner})"
        case Items():
            return f"[{','.join(map(_outline_of, expr.elements))}]"
        case Infix():
            return expr.operator.join(map(_outline_of, expr.operands))
        case Subscript():
            return f"{_outline_of(expr.value)}[{expr.index}]"
        case Pair():
            return f"({expr.name}, {_outline_of(expr.value)})"
        case Run():
            return f"{_outline_of(expr.element)} for {expr.index} in {_outline_of(expr.count)}"
        case Code():
            return str(expr)
        case None:
            return "None"
        case _:
            return "?"


def _parametrise(
    graph: Graph,
    parts: Sequence[Part],
    sketches: Sequence[Mapping[str, Sketch]],
    definition: Definition,
    reserved: Collection[str],
) -> list[dict[str, Expr]]:
    """Fill in the definition's sketches and parameters; returns the arguments of each instance."""
    known = _known_columns(graph, parts, reserved)
    fresh = Names({*reserved, *known, IN_CHANNELS})
    used: dict[str, tuple[Constant, ...]] = {}
    for local in sketches[0]:
        constructed = sum(len([*_constants(call)]) for call in sketches[0][local].calls)
        found = [
            [pair for expr in each[local].expressions() for pair in _constants(expr)]
            for each in sketches
        ]
        words: list[Expr] = []
        for place, column in enumerate(zip(*found, strict=True)):
            values = [value for _, value in column]
            is_used = place >= constructed
            columns = {**known, **used} if is_used else known
            wanted = _wanted(local, column[0][0], is_used)
            words.append(_word(wanted, column[0][0], values, columns, used, fresh))
        replaced = iter(words)
        sketch = sketches[0][local]
        definition.sketches[local] = Sketch(
            tuple(_substitute(call, replaced) for call in sketch.calls),
            sketch.fixed,
            _substitute(sketch.use, replaced),
        )
    declared = [name for name in (IN_CHANNELS, *known) if name in used]
    order = list(dict.fromkeys([*declared, *used]))
    definition.parameters = {name: _annotation(used[name]) for name in order}
    return [{name: used[name][i] for name in order} for i in range(len(parts))]


def _known_columns(
    graph: Graph, parts: Sequence[Part], reserved: Collection[str]
) -> dict[str, tuple[Constant, ...]]:
    """What a parameter may be called: the block's own parameters, then the width of the first input."""
    names = Names({IN_CHANNELS, *reserved})
    columns: dict[str, tuple[Constant, ...]] = {
        names.fresh(name): tuple(part.arguments.get(name) for part in parts)
        for name in parts[0].arguments
    }
    if all(part.inputs for part in parts):
        shapes = [graph.by_name[part.inputs[0]].shape for part in parts]
        if all("c" in shape.axes for shape in shapes):
            columns[IN_CHANNELS] = tuple(shape.axis("c") for shape in shapes)
    return columns


def _constants(expr: Expr, hint: str = "") -> Iterator[tuple[str, Constant]]:
    """Every constant in an expression, with the name of the argument where it stands."""
    match expr:
        case Call():
            if expr.on is not None:
                yield from _constants(expr.on)
            for name, value in {**expr.positional, **expr.keywords}.items():
                yield from _constants(value, name)
        case Items():
            for value in expr.elements:
                yield from _constants(value, hint)
        case Infix():
            for value in expr.operands:
                yield from _constants(value, hint)
        case Subscript():
            yield from _constants(expr.value, hint)
        case Pair():
            yield from _constants(expr.value, hint)
        case Run():
            yield from _constants(expr.element, hint)
            yield from _constants(expr.count, "count")
        case Code() | None:
            return
        case _:
            yield hint, expr


def _substitute(expr: Any, replaced: Iterator[Expr]) -> Any:
    """The expression with its constants, in the order of `_constants`, replaced."""
    match expr:
        case Call():
            on = None if expr.on is None else _substitute(expr.on, replaced)
            positional = {
                name: _substitute(value, replaced) for name, value in expr.positional.items()
            }
            keywords = {name: _substitute(value, replaced) for name, value in expr.keywords.items()}
            return Call(expr.func, positional, keywords, expr.defaults, on)
        case Items():
            return Items(tuple(_substitute(value, replaced) for value in expr.elements))
        case Infix():
            return Infix(
                expr.operator, tuple(_substitute(value, replaced) for value in expr.operands)
            )
        case Subscript():
            return Subscript(_substitute(expr.value, replaced), expr.index)
        case Pair():
            return Pair(expr.name, _substitute(expr.value, replaced))
        case Run():
            element = _substitute(expr.element, replaced)
            return replace(expr, element=element, count=_substitute(expr.count, replaced))
        case Code() | None:
            return expr
        case _:
            return next(replaced)


def _word(
    wanted: str,
    hint: str,
    column: Sequence[Constant],
    known: Mapping[str, tuple[Constant, ...]],
    used: dict[str, tuple[Constant, ...]],
    fresh: Names,
) -> Expr:
    """What stands in the definition for a constant: itself, a parameter, or a parameter times a number."""
    values = tuple(column)
    if all(_equal(value, values[0]) for value in values):
        return values[0]
    candidates = [item for item in known.items() if item[0] != IN_CHANNELS or hint in _WIDTHS]
    for name, candidate in candidates:
        if _columns_equal(candidate, values):
            used[name] = candidate
            return Code(name)
    for name, candidate in candidates:
        formula = _formula(name, candidate, values)
        if formula is not None:
            used[name] = candidate
            return formula
    name = fresh.fresh(wanted)
    used[name] = values
    return Code(name)


def _wanted(local: str, hint: str, is_used: bool) -> str:
    """`conv2_padding` for the padding of `conv2`, `drop_path` for the only number of `drop_path1`.

    What `forward` uses may stand for several equal sizes, so no number of a layer or an axis tells it.
    """
    name = local.replace(".", "_")
    if is_used:
        hint = hint.rstrip(_DIGITS)
    if is_used or len(hint) < 2:
        name = name.rstrip(_DIGITS)
    name = f"{name}_{hint}" if len(hint) > 1 else name
    return name if name[:1].isalpha() else f"layer_{name}"


def _formula(name: str, column: Sequence[Constant], values: Sequence[Constant]) -> Infix | None:
    """`4 * name` or `name // 2` where that gives the values for every instance."""
    pairs: list[tuple[int, int]] = []
    for before, after in zip(column, values, strict=True):
        if type(before) is not int or type(after) is not int or before < 1 or after < 0:
            return None
        pairs.append((before, after))
    before, after = next((pair for pair in pairs if pair[1]), (1, 0))
    factor = after // before
    if factor > 1 and all(y == factor * x for x, y in pairs):
        return Infix("*", (factor, Code(name)))
    smallest = before // (after + 1) + 1
    for divisor in range(max(smallest, 2), smallest + 8):
        if all(y == x // divisor for x, y in pairs):
            return Infix("//", (Code(name), divisor))
    return None


def _equal(a: Constant, b: Constant) -> bool:
    return type(a) is type(b) and a == b


def _columns_equal(a: Sequence[Constant], b: Sequence[Constant]) -> bool:
    return all(map(_equal, a, b))


def _annotation(column: Sequence[Constant]) -> str:
    return " | ".join(sorted({_kind(value) for value in column}))


def _kind(value: Constant) -> str:
    if isinstance(value, tuple):
        return f"tuple[{' | '.join(sorted(set(map(_kind, value))))}, ...]"
    return "None" if value is None else type(value).__name__
