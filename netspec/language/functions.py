"""The closed set of pure functions that expressions may call. Knows nothing of text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast, get_args

from netspec.language.values import Schedule, is_list
from netspec.ops.initial import Init, Mode, Rule


class Function(NamedTuple):
    """A function, how few and how many arguments it takes, and what a wrong argument is told."""

    apply: Callable[..., Any]
    fewest: int
    most: int
    wants: str


class BadArgument(Exception):
    """A function cannot take these arguments."""


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadArgument
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadArgument
    return value


def _list(value: object) -> tuple[object, ...]:
    if not is_list(value):
        raise BadArgument
    assert isinstance(value, tuple)
    return value


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*values: object) -> Any:
        numbers = _list(values[0]) if len(values) == 1 else values
        if not numbers:
            raise BadArgument
        return choose(_number(value) for value in numbers)

    return apply


def _sum(values: object) -> int | float:
    return sum(_number(value) for value in _list(values))


def _round(value: object, digits: object = None) -> Any:
    if digits is None:
        return round(_number(value))
    if not -30 <= _whole(digits) <= 30:
        raise BadArgument
    return round(float(_number(value)), _whole(digits))


def _range(*bounds: object) -> range:
    numbers = [_whole(bound) for bound in bounds]
    if (len(numbers) == 3 and numbers[2] == 0) or any(abs(number) > 2**48 for number in numbers):
        raise BadArgument
    return range(*numbers)


def _zip(*lists: object) -> Any:
    columns = [_list(values) for values in lists]
    if len({len(column) for column in columns}) > 1:
        raise BadArgument
    return tuple(zip(*columns, strict=True))


def _enumerate(values: object, start: object = 0) -> Any:
    return tuple(enumerate(_list(values), _whole(start)))


def _square_root(value: object) -> float:
    if _number(value) < 0:
        raise BadArgument
    return math.sqrt(_number(value))


def _log2(value: object) -> float:
    if _number(value) <= 0:
        raise BadArgument
    return math.log2(_number(value))


def _divisible(value: object, by: object = 8) -> int:
    """MobileNet's rule for widths: the nearest multiple that is not a tenth below the value."""
    size, step = _number(value), _whole(by)
    if step < 1 or size < 0:
        raise BadArgument
    nearest = max(step, int(size + step / 2) // step * step)
    return nearest + step if nearest < 0.9 * size else nearest


def _at_least_zero(value: object) -> float:
    number = float(_number(value))
    if number < 0 or not math.isfinite(number):
        raise BadArgument
    return number


def _init(rule: Rule) -> Callable[..., Init]:
    """An initializer of one number: a bound, a deviation or a gain."""
    return lambda value=1: Init(rule=rule, value=_at_least_zero(value))


def _kaiming(rule: Rule) -> Callable[..., Init]:
    def apply(mode: object = "fan_in") -> Init:
        if mode not in get_args(Mode):
            raise BadArgument
        return Init(rule=rule, mode=cast(Mode, mode))

    return apply


def _linear(*rates: object) -> Schedule:
    """From the first rate, or 0, to the last."""
    numbers = [float(_number(rate)) for rate in rates]
    if not all(0 <= number <= 1 for number in numbers):
        raise BadArgument
    return Schedule(numbers[0] if len(numbers) > 1 else 0.0, numbers[-1])


FUNCTIONS: dict[str, Function] = {
    "min": Function(_extreme(min), 1, 99, "numbers, or one list of them"),
    "max": Function(_extreme(max), 1, 99, "numbers, or one list of them"),
    "sum": Function(_sum, 1, 1, "a list of numbers"),
    "round": Function(_round, 1, 2, "a number, and a number of digits"),
    "floor": Function(lambda value: math.floor(_number(value)), 1, 1, "a number"),
    "ceil": Function(lambda value: math.ceil(_number(value)), 1, 1, "a number"),
    "abs": Function(lambda value: abs(_number(value)), 1, 1, "a number"),
    "int": Function(lambda value: int(_number(value)), 1, 1, "a number"),
    "len": Function(lambda values: len(_list(values)), 1, 1, "a list"),
    "range": Function(_range, 1, 3, "whole numbers: an end, or a start, an end and a step"),
    "zip": Function(_zip, 1, 99, "lists of one length"),
    "enumerate": Function(_enumerate, 1, 2, "a list, and a start"),
    "sqrt": Function(_square_root, 1, 1, "a number that is not negative"),
    "log2": Function(_log2, 1, 1, "a number above 0"),
    "divisible": Function(_divisible, 1, 2, "a size, and what divides it (8)"),
    "linear": Function(
        _linear, 1, 2, "a rate from 0 to 1 to end with, or one to start and one to end with"
    ),
    "constant": Function(lambda value: Init.constant(_number(value)), 1, 1, "a number"),
    "zeros": Function(lambda: Init.constant(0), 0, 0, "nothing"),
    "ones": Function(lambda: Init.constant(1), 0, 0, "nothing"),
    "uniform": Function(_init("uniform"), 1, 1, "a bound that is not negative"),
    "normal": Function(_init("normal"), 1, 1, "a standard deviation"),
    "trunc_normal": Function(_init("trunc_normal"), 1, 1, "a standard deviation"),
    "orthogonal": Function(_init("orthogonal"), 0, 1, "nothing, or a gain"),
    "xavier_uniform": Function(_init("xavier_uniform"), 0, 1, "nothing, or a gain"),
    "xavier_normal": Function(_init("xavier_normal"), 0, 1, "nothing, or a gain"),
    "kaiming_uniform": Function(_kaiming("kaiming_uniform"), 0, 1, "`fan_in` or `fan_out`"),
    "kaiming_normal": Function(_kaiming("kaiming_normal"), 0, 1, "`fan_in` or `fan_out`"),
    "lecun_normal": Function(lambda: Init(rule="lecun_normal"), 0, 0, "nothing"),
}
