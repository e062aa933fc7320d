"""The constants of an expression: what is left without them, what they are, and others in their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

from netspec.emit.ranges import Range
from netspec.emit.source import (
    Call,
    Code,
    Expr,
    Infix,
    Items,
    Option,
    Pair,
    Run,
    Subscript,
    Unanimous,
)


class Class(Code):
    """A class whose objects need no arguments: it may differ as a number does, and be a parameter."""

    annotation = "type"


class Absent:
    """Stands for the constants of what an instance does not have: they may be anything."""


ABSENT: Final = Absent()
PRESENT = "<present>"
"""The hint of the constant that tells whether an instance has what is optional."""

Value: TypeAlias = "int | float | bool | str | tuple[Any, ...] | Unanimous | None"
Constant: TypeAlias = "Value | Absent"


def without_constants(expr: Expr) -> str:
    """A text that is equal for expressions which differ in constants only."""
    match expr:
        case Call(func=Class()):
            return "?()"
        case Call():
            named = {**expr.positional, **expr.keywords}
            inner = ",".join(f"{name}={without_constants(value)}" for name, value in named.items())
            return f"{without_constants(expr.on)}.{expr.func}({inner})"
        case Items():
            return f"[{','.join(map(without_constants, expr.elements))}]"
        case Infix():
            return expr.operator.join(map(without_constants, expr.operands))
        case Subscript():
            index = expr.index
            parts = [index] if isinstance(index, str) else map(without_constants, index)
            return f"{without_constants(expr.value)}[{', '.join(parts)}]"
        case Range():
            return ":".join(map(without_constants, expr.ends))
        case Pair():
            return f"({expr.name}, {without_constants(expr.value)})"
        case Run():
            return f"{without_constants(expr.element)} for {expr.index} in {without_constants(expr.count)}"
        case Option():
            return f"{without_constants(expr.element)} or {expr.otherwise}"
        case Class():
            return "?"
        case Code():
            return str(expr)
        case None:
            return "None"
        case _:
            return "?"


def constants(expr: Expr, hint: str = "") -> Iterator[tuple[str, Constant]]:
    """Every constant in an expression, with the name of the argument where it stands."""
    match expr:
        case Call(func=Class() as func):
            yield "", func
            for name, value in expr.keywords.items():
                yield from constants(value, name)
        case Call():
            if expr.on is not None:
                yield from constants(expr.on)
            for name, value in {**expr.positional, **expr.keywords}.items():
                yield from constants(value, name)
        case Items():
            for value in expr.elements:
                yield from constants(value, hint)
        case Infix():
            for value in expr.operands:
                yield from constants(value, hint)
        case Subscript():
            yield from constants(expr.value, hint)
            for value in () if isinstance(expr.index, str) else expr.index:
                yield from constants(value, "index")
        case Range():
            for name, value in zip(("start", "stop", "step"), expr.ends, strict=True):
                yield from constants(value, name)
            yield "", Unanimous(expr.open)
        case Pair():
            yield from constants(expr.value, hint)
        case Run():
            yield from constants(expr.element, hint)
            yield from constants(expr.count, "count")
        case Option():
            for name, own in constants(expr.element, hint):
                yield name, own if expr.condition else ABSENT
            yield PRESENT, bool(expr.condition)
        case Class():
            yield hint, expr
        case Code() | None:
            return
        case int() | float() | str() | tuple() | Unanimous():
            yield hint, expr


def substitute(expr: Any, replaced: Iterator[Expr]) -> Any:
    """The expression with its constants, in the order of `constants`, replaced."""
    match expr:
        case Call(func=Class()):
            func = next(replaced)
            keywords = {name: substitute(e, replaced) for name, e in expr.keywords.items()}
            return Call(func, {}, keywords, expr.defaults)
        case Call():
            on = None if expr.on is None else substitute(expr.on, replaced)
            positional = {name: substitute(e, replaced) for name, e in expr.positional.items()}
            keywords = {name: substitute(e, replaced) for name, e in expr.keywords.items()}
            return Call(expr.func, positional, keywords, expr.defaults, on)
        case Items():
            return Items(tuple(substitute(value, replaced) for value in expr.elements))
        case Infix():
            return Infix(expr.operator, tuple(substitute(e, replaced) for e in expr.operands))
        case Subscript():
            value, index = substitute(expr.value, replaced), expr.index
            if not isinstance(index, str):
                index = tuple([substitute(each, replaced) for each in index])
            return Subscript(value, index)
        case Range():
            ends = expr.with_ends(lambda each: substitute(each, replaced))
            is_open = next(replaced)
            assert isinstance(is_open, Unanimous)
            return replace(ends, open=is_open.value)
        case Pair():
            return Pair(expr.name, substitute(expr.value, replaced))
        case Run():
            element = substitute(expr.element, replaced)
            return replace(expr, element=element, count=substitute(expr.count, replaced))
        case Option():
            element = substitute(expr.element, replaced)
            return replace(expr, element=element, condition=next(replaced))
        case Class():
            return next(replaced)
        case Code() | None:
            return expr
        case _:
            return next(replaced)
