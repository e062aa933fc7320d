"""Arguments as the language or the Python builder gives them -> an op. Pydantic's own words never reach the user."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import ValidationError

from netspec.diagnostics import did_you_mean
from netspec.dim import Dim
from netspec.ops.base import Op, Rejected
from netspec.ops.fields import LARGEST
from netspec.ops.initial import Init

OpType = TypeVar("OpType", bound=Op)

_ELSEWHERE = {
    "activation": "an activation is a step of its own: `-> relu`",
    "bias_initializer": "did you mean `bias_init`?",
    "kernel_initializer": "did you mean `init`?",
}
"""Arguments of the frameworks' layers whose likeness to ours would mislead."""


def bind(op: type[OpType], positional: Sequence[object], keywords: Mapping[str, object]) -> OpType:
    """The op with these arguments; positional ones fill the fields in their order.

    Raises `Rejected`, with `param` naming the parameter, or the keyword as it was written.
    """
    given = _placed(op, positional)
    letters = [name for name in keywords if len(name) == 1] if op.named_axes else []
    if letters and op.variadic is not None:
        if op.variadic in given:
            raise Rejected(
                "repeated-argument",
                "sizes are given with and without names",
                param=letters[0],
                help=f"write `{op.kind} {' '.join(f'{name}=...' for name in letters)}`",
            )
        given[op.variadic] = tuple(keywords[name] for name in letters)
        given["axes"] = "".join(letters)
    _add_named(op, {n: value for n, value in keywords.items() if n not in letters}, given)
    for name, field in op.model_fields.items():
        if field.is_required() and name not in given:
            raise Rejected(
                "missing-argument",
                f"`{op.kind}` needs `{name}`: {field.description}",
                help=op.examples[0].line if op.examples else None,
            )
    if not given:
        default: OpType = _without_arguments(op)
        return default
    try:
        return op(**given)
    except ValidationError as error:
        raise _explain(op, given, error) from None


@cache
def _without_arguments(op: type[OpType]) -> OpType:
    """The op with its defaults, which are right by declaration: no checker is built."""
    return op.model_construct()


def _placed(op: type[Op], positional: Sequence[object]) -> dict[str, object]:
    """Positional arguments by the fields that they fill."""
    fields = list(op.model_fields)
    if op.variadic is not None and positional:
        return {op.variadic: tuple(positional)}
    if len(positional) > len(fields):
        raise Rejected(
            "too-many-arguments",
            f"`{op.kind}` takes {_count(len(fields), 'argument')}, got {len(positional)}",
            help=None if fields else f"write `{op.kind}` alone",
        )
    return dict(zip(fields, positional, strict=False))


def _add_named(op: type[Op], keywords: Mapping[str, object], given: dict[str, object]) -> None:
    """Add what is given by name; what names no field is a size of an axis, where the op takes such."""
    fields = list(op.model_fields)
    sizes: list[tuple[str, object]] = []
    for name, value in keywords.items():
        if name in given:
            raise Rejected("repeated-argument", f"`{name}` is given twice", param=name)
        if name in fields:
            given[name] = value
        elif op.naming is not None:
            sizes.append((name, _whole(name, value)))
        else:
            listed = ", ".join(f"`{field}`" for field in fields)
            known = f"it takes {listed}" if fields else "it takes none"
            raise Rejected(
                "unknown-argument",
                f"`{op.kind}` has no argument `{name}`",
                param=name,
                help=_ELSEWHERE.get(name) or did_you_mean(name, fields) or known,
            )
    if op.naming is not None and sizes:
        given[op.naming] = tuple(sizes)


def _whole(name: str, value: object) -> object:
    """A keyword that names an axis gives a whole number; whether it may be negative, the op knows."""
    if type(value) is not int or abs(value) > LARGEST:
        message = f"`{name}` must be a whole number, got {plain(value)}"
        raise Rejected("bad-argument", message, param=name)
    return value


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _explain(op: type[Op], given: Mapping[str, object], error: ValidationError) -> Rejected:
    """Pydantic's complaint about the first wrong argument, in the language's words.

    Where an argument may be of several kinds there is a complaint for each; a bound tells the most.
    """
    bounds = {
        "greater_than": ("must be more than", "gt"),
        "greater_than_equal": ("must be at least", "ge"),
        "less_than": ("must be less than", "lt"),
        "less_than_equal": ("must be at most", "le"),
    }
    found = error.errors(include_url=False)
    name = str(found[0]["loc"][0])
    mine = [each for each in found if each["loc"][0] == name]
    first = next((each for each in mine if each["type"] in bounds), mine[0])
    places = [step for step in first["loc"][1:] if isinstance(step, int)]
    value = _innermost(given[name], places)
    if isinstance(value, Dim):
        return Rejected(
            "unknown-size",
            f"`{name}` must be a number, and the size `{value}` is known only at run time",
            param=name,
            help=op.model_fields[name].description,
        )
    context: dict[str, Any] = first.get("ctx", {})
    if first["type"] in bounds:
        words, key = bounds[first["type"]]
        message = f"`{name}` {words} {plain(context[key])}, got {plain(value)}"
    else:
        message = f"`{name}` must be {wanted(op, name)}, got {plain(value)}"
        if isinstance(value, float) and value.is_integer() and "whole" in wanted(op, name):
            message = f"`{name}` must be {wanted(op, name)}, got the fraction {value:.1f}"
            cure = "`/` gives a fraction, `//` a whole number"
            return Rejected("bad-argument", message, param=name, help=cure)
    return Rejected("bad-argument", message, param=name, help=op.model_fields[name].description)


def _innermost(value: object, path: Sequence[int]) -> object:
    for step in path:
        if isinstance(value, tuple) and step < len(value):
            value = value[step]
    return value


def wanted(op: type[Op], name: str) -> str:
    """What a field takes, in words."""
    return " or ".join(dict.fromkeys(_words(op.model_fields[name].annotation)))


def _words(annotation: Any) -> list[str]:
    origin = get_origin(annotation)
    if origin is Literal:
        return [f"`{choice}`" for choice in get_args(annotation)]
    if origin is tuple:
        return _listed(get_args(annotation))
    if get_args(annotation):
        return [
            word
            for part in get_args(annotation)
            if not _is_constraint(part)
            for word in _words(part)
        ]
    plain = {
        Dim: "a size like `?T`",
        int: "a whole number",
        float: "a number",
        bool: "`true` or `false`",
        str: "a name",
        Init: "an initializer such as `normal(0.02)`",
    }
    return [plain[annotation]] if annotation in plain else []


def _listed(elements: tuple[Any, ...]) -> list[str]:
    """What a list of such elements is called."""
    if elements == (str, int):
        return ["sizes by name"]
    inner = list(dict.fromkeys(_words(elements[0])))
    if inner in (["a list of numbers"], ["lists of numbers"]):
        return ["lists of numbers"]
    if "a number" in inner:
        return ["a list of numbers"] if len(inner) == 1 else ["a number", "a list of them"]
    known = {"a name": "letters of axes", "sizes by name": "sizes by name"}
    return [known[inner[0]]] if inner[0] in known else [*inner, "a list of them"]


def _is_constraint(part: Any) -> bool:
    return part is type(None) or (get_origin(part) is None and not isinstance(part, type))


def plain(value: object) -> str:
    """A value as the language writes it, shortened where it is long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of about {int(value.bit_length() * 0.30103) + 1} digits"
    if isinstance(value, tuple) and len(value) == 1:
        text = f"[{plain(value[0])}]"
    elif isinstance(value, tuple):
        text = f"({', '.join(map(plain, value[:8]))}{', ...' if len(value) > 8 else ''})"
    elif isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, float):
        text = f"{value:g}"
        text += ".0" if text.lstrip("-").isdecimal() else ""  # 8/2 is no whole number
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
