"""Expressions, and their layout as formatted Python. Knows nothing of graphs or frameworks.

The layout is that of `ruff format` (and Black) at their default width, so emitted files pass it unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from netspec.emit.ranges import Range

WIDTH = 88
INDENT = "    "
INDEX = "i"
"""What the number of an element in a run is called, so nothing else that is read there."""


class Code(str):
    """Source text that stands as it is: a name, an attribute, an f-string."""


@dataclass(frozen=True)
class Call:
    """`func(*args, **keywords)`, or `on.func(...)`. Keywords equal to their entry in `defaults` are not written.

    `positional` names its arguments too: an outliner that turns one into a parameter needs a word for it.
    """

    func: str | Expr
    positional: Mapping[str, Expr] = field(default_factory=dict)
    keywords: Mapping[str, Expr] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    on: Expr = None

    def written_keywords(self) -> dict[str, Expr]:
        """The keywords that differ from the framework's defaults."""
        return {
            name: value
            for name, value in self.keywords.items()
            if name not in self.defaults or not _same(value, self.defaults[name])
        }


@dataclass(frozen=True)
class Infix:
    """`a + b + c`."""

    operator: str
    operands: tuple[Expr, ...]


@dataclass(frozen=True)
class Items:
    """`[a, b]`, where the elements are expressions."""

    elements: tuple[Expr, ...]


@dataclass(frozen=True)
class Subscript:
    """`value[index]`, with an index for each axis, or all of it as source text."""

    value: Expr
    index: str | tuple[Expr, ...]


@dataclass(frozen=True)
class Numbered:
    """`f"layer{i + 1}"`: a name that ends in the number of its element in a run, counted from `first`."""

    prefix: str
    first: int


@dataclass(frozen=True)
class Pair:
    """`("name", value)`."""

    name: str | Numbered
    value: Expr


@dataclass(frozen=True)
class Run:
    """`element for i in range(count)` alone in the brackets of a call, or `spread` as `*[...]` among arguments."""

    element: Expr
    count: Expr
    index: str = "_"
    spread: bool = False


@dataclass(frozen=True)
class Option:
    """`element if condition else otherwise`, where nothing stands for the element in a list without it."""

    element: Expr
    condition: Expr
    otherwise: Expr = None

    @property
    def is_choice(self) -> bool:
        """Whether it decides between two objects, so that there always is one."""
        return isinstance(self.otherwise, Call)


@dataclass(frozen=True)
class Unanimous:
    """`True` where all instances of a definition say so, else `False`: it never is a parameter."""

    value: bool


Expr: TypeAlias = (
    "Unanimous | Code | Call | Infix | Items | Subscript | Range | Pair | Run | Option"
    " | str | int | float | bool | tuple[Expr, ...] | None"
)


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b


def call(func: str | Expr, *args: Expr, on: Expr = None, **keywords: Expr) -> Call:
    """A call whose positional arguments need no names."""
    return Call(func, {str(i): arg for i, arg in enumerate(args)}, keywords, on=on)


def short(values: Sequence[int]) -> int | tuple[int, ...]:
    """An argument with a value for each axis, as one number where that serves them all."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def index_along(place: int, rank: int, index: Expr) -> tuple[Expr, ...]:
    """The indices of a subscript that applies to one axis: `:, 1:3`, or `..., 1:3` for the last of many."""
    if place == rank - 1 > 1:
        return (Code("..."), index)
    return (*[Code(":")] * place, index)


def arg(number: int) -> Code:
    """Stands for the value of that number in a template."""
    return Code(f"<{number}>")


def fill(template: Expr, values: Mapping[Code, Expr]) -> Expr:
    """The template with its placeholders replaced."""
    match template:
        case Code():
            return values.get(template, template)
        case Call():
            func = template.func
            return Call(
                fill(func, values) if isinstance(func, (Code, Call)) else func,
                {name: fill(value, values) for name, value in template.positional.items()},
                {name: fill(value, values) for name, value in template.keywords.items()},
                template.defaults,
                fill(template.on, values),
            )
        case Infix():
            return Infix(template.operator, tuple(fill(e, values) for e in template.operands))
        case Items():
            return Items(tuple(fill(each, values) for each in template.elements))
        case Subscript():
            index = (
                template.index if isinstance(template.index, str) else fill(template.index, values)
            )
            return Subscript(fill(template.value, values), index)  # type: ignore[arg-type]
        case Range():
            return template.with_ends(lambda each: fill(each, values))
        case Option(element=element, condition=condition, otherwise=otherwise):
            return Option(*(fill(each, values) for each in (element, condition, otherwise)))
        case tuple():
            return tuple(fill(each, values) for each in template)
        case _:
            return template


def codes(expr: Expr) -> Iterator[Code]:
    """The names and other source text inside an expression, but for the conditions of what is optional."""
    match expr:
        case Code():
            yield expr
        case Call():
            inner = [*expr.positional.values(), *expr.keywords.values(), expr.on]
            func = [] if type(expr.func) is str else [expr.func]
            yield from (code for each in (*func, *inner) for code in codes(each))
        case Infix(operands=parts) | Items(elements=parts):
            yield from (code for each in parts for code in codes(each))
        case Subscript(value=value, index=index):
            yield from codes(value)
            yield from () if isinstance(index, str) else codes(index)
        case Range():
            yield from (code for each in expr.ends for code in codes(each))
        case Option(element=element, otherwise=otherwise):
            yield from codes(element)
            yield from codes(otherwise)
        case tuple():
            yield from (code for each in expr for code in codes(each))
        case _:
            return


def flat(expr: Expr) -> str:
    """The expression on one line."""
    match expr:
        case Code():
            return str(expr)
        case Call():
            return f"{_callee(expr)}({', '.join(_arguments(expr))})"
        case Infix():
            return f" {expr.operator} ".join(_operands_of(expr))
        case Items():
            return f"[{', '.join(map(flat, expr.elements))}]"
        case Subscript():
            return f"{_operand(expr.value)}[{_index(expr)}]"
        case Range():
            return expr.text(flat)
        case Pair():
            return f"({_named(expr.name)}, {flat(expr.value)})"
        case Run():
            text = f"{flat(expr.element)} {_clause(expr)}"
            return f"*[{text}]" if expr.spread else text
        case Option():
            return " ".join([flat(expr.element), *_choice(expr)])
        case tuple():
            return f"({', '.join(map(flat, expr))}{',' if len(expr) == 1 else ''})"
        case str():
            return _quoted(expr)
        case Unanimous(value=value):
            return repr(value)
        case _:
            return repr(expr)


def _index(expr: Subscript) -> str:
    return expr.index if isinstance(expr.index, str) else ", ".join(map(flat, expr.index))


def _quoted(text: str) -> str:
    """A string literal with double quotes, as the formatters write it."""
    body = repr(text)[1:-1]
    return f'"{body}"' if '"' not in text and "'" not in text else repr(text)


def _named(name: str | Numbered) -> str:
    if isinstance(name, str):
        return _quoted(name)
    return f'f"{name.prefix}{{{INDEX}{f" + {name.first}" if name.first else ""}}}"'


def _clause(run: Run) -> str:
    return f"for {run.index} in range({flat(run.count)})"


def _choice(expr: Option) -> tuple[str, str]:
    """What follows the element of a conditional expression."""
    return f"if {flat(expr.condition)}", f"else {flat(expr.otherwise)}"


def _operand(expr: Expr, least: int = 3) -> str:
    """In brackets unless it binds at least so tightly: 1 for a sum, 2 for a product, 3 for what is called upon."""
    if isinstance(expr, Infix):
        least -= _tightness(expr)
    elif not isinstance(expr, Option):
        least = 0
    return f"({flat(expr)})" if least > 0 else flat(expr)


def _operands_of(expr: Infix) -> list[str]:
    """Python reads from the left, so what stands there may bind as the operator does."""
    first, *others = expr.operands
    own = _tightness(expr)
    return [_operand(first, own), *(_operand(each, own + 1) for each in others)]


def _tightness(expr: Infix) -> int:
    return 1 if expr.operator in "+-" else 2


def _callee(expr: Call) -> str:
    func = expr.func if isinstance(expr.func, str) else flat(expr.func)
    return func if expr.on is None else f"{_operand(expr.on)}.{func}"


def _arguments(expr: Call) -> Iterator[str]:
    for value in expr.positional.values():
        yield flat(value)
    for name, value in expr.written_keywords().items():
        yield f"{name}={flat(value)}"


def layout(expr: Expr, *, before: str = "", after: str = "", indent: int = 0) -> list[str]:
    """The lines of `before + expr + after`, each indented, broken as the formatters break them."""
    line = f"{INDENT * indent}{before}{flat(expr)}{after}"
    return [line] if len(line) <= WIDTH else _broken(expr, before, after, indent)


def _broken(expr: Expr, before: str, after: str, indent: int) -> list[str]:
    """The lines of an expression that does not fit on one."""
    pad = INDENT * indent
    match expr:
        case Call(func=Call() as inner) if len(pad + before + flat(inner)) >= WIDTH:
            # A layer applied at once: `layers.Conv2D(...)(x)` breaks inside the layer's own arguments.
            (*broken, end) = _broken(inner, before, "", indent)
            applied = Call(Code(end.strip()), expr.positional, expr.keywords, expr.defaults)
            return [*broken, *layout(applied, after=after, indent=indent)]
        case Call() if len(links := _links(expr)) > 2:
            if before:
                inside = layout(expr, indent=indent + 1)
                return [f"{pad}{before}(", *inside, f"{pad}){after}"]
            (first, *others, last) = links
            rows = [*layout(first, indent=indent)]
            for link in others:
                rows += layout(link, before=".", indent=indent)
            return [*rows, *layout(last, before=".", after=after, indent=indent)]
        case Call(on=Infix() as whole) if len(f"{pad}{before}{_callee(expr)}(") > WIDTH:
            rest = flat(replace(expr, on=None))
            return [f"{pad}{before}(", *_operands(whole, indent + 1), f"{pad}).{rest}{after}"]
        case Subscript(value=Call() as value):
            return _broken(value, before, f"[{_index(expr)}]{after}", indent)
        case Call() if expr.positional or expr.written_keywords():
            head, tail = f"{before}{_callee(expr)}(", f"){after}"
            parts = [("", value) for value in expr.positional.values()]
            parts += [(f"{name}=", value) for name, value in expr.written_keywords().items()]
        case Items():
            head, tail = f"{before}[", f"]{after}"
            parts = [("", element) for element in expr.elements]
        case Pair():
            head, tail = f"{before}(", f"){after}"
            parts = [("", Code(_named(expr.name))), ("", expr.value)]
        case Run(spread=True):
            middle = layout(replace(expr, spread=False), indent=indent + 1)
            return [f"{pad}{before}*[", *middle, f"{pad}]{after}"]
        case Run():
            clause = f"{pad}{_clause(expr)}{after}"
            return [*layout(expr.element, before=before, indent=indent), clause]
        case (only,):
            middle = layout(only, after=",", indent=indent + 1)
            return [f"{pad}{before}(", *middle, f"{pad}){after}"]
        case tuple() if len(expr) > 1:
            head, tail = f"{before}(", f"){after}"
            parts = [("", element) for element in expr]
        case Option() if len(line := f"{pad}{INDENT}{flat(expr)}") <= WIDTH:
            return [f"{pad}{before}(", line, f"{pad}){after}"]
        case Option():
            pads = [f"{pad}{INDENT}{line}" for line in _choice(expr)]
            inside = layout(expr.element, indent=indent + 1)
            return [f"{pad}{before}(", *inside, *pads, f"{pad}){after}"]
        case Infix(operands=(left, Call() as right)):
            start = f"{before}{_operand(left, _tightness(expr))} {expr.operator} "
            return layout(right, before=start, after=after, indent=indent)
        case Infix():
            return [f"{pad}{before}(", *_operands(expr, indent + 1), f"{pad}){after}"]
        case _:
            return [f"{pad}{before}{flat(expr)}{after}"]
    return [f"{pad}{head}", *_inside(parts, indent + 1), f"{pad}{tail}"]


def _operands(expr: Infix, indent: int) -> list[str]:
    """One operand a line, behind its operator."""
    rows: list[str] = []
    for i, (each, text) in enumerate(zip(expr.operands, _operands_of(expr), strict=True)):
        operand = Code(text) if isinstance(each, Infix) else each
        rows += layout(operand, before=f"{expr.operator} " if i else "", indent=indent)
    return rows


def _links(expr: Call) -> list[Expr]:
    """`a.b(1).c(2).d(3)` as `a.b(1)`, `c(2)`, `d(3)`: a chain of methods that breaks before its dots."""
    if not isinstance(expr.on, Call | Subscript):
        return [expr]
    link = Call(expr.func, expr.positional, expr.keywords, expr.defaults)
    return [*(_links(expr.on) if isinstance(expr.on, Call) else [expr.on]), link]


def _inside(parts: list[tuple[str, Expr]], indent: int) -> list[str]:
    """What stands between broken brackets: on one line if it fits there, else one element a line."""
    pad = INDENT * indent
    together = pad + ", ".join(f"{prefix}{flat(value)}" for prefix, value in parts)
    if len(parts) == 1:
        ((prefix, value),) = parts
        if isinstance(value, Infix) and not prefix and len(together) > WIDTH:
            return _operands(value, indent)
        return layout(value, before=prefix, indent=indent)
    if len(together) <= WIDTH:
        return [together]
    return [
        line
        for prefix, value in parts
        for line in layout(value, before=prefix, after=",", indent=indent)
    ]
