"""What operators do with values, within limits. Knows nothing of the tree that they come from."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from netspec.diagnostics import SpecError
from netspec.dim import Dim, UnknownSize
from netspec.language.reports import OverLimit, fail
from netspec.language.values import extent, is_list, kind, show
from netspec.limits import Limits, exceeded
from netspec.source import Span

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

STEPS_A_CHARACTER = 10
"""What the texts' length adds to the steps: what is written out takes its time, what is repeated is bounded."""


def _equal(first: Any, second: Any) -> bool:
    """Whether two values are equal; raises `UnknownSize` where that depends on a size."""
    if is_list(first) and is_list(second) and len(first) == len(second):
        unknown: UnknownSize | None = None
        for a, b in zip(first, second, strict=True):
            try:
                if not _equal(a, b):
                    return False
            except UnknownSize as error:
                unknown = error
        if unknown is not None:
            raise unknown
        return True
    sizes = [value for value in (first, second) if isinstance(value, Dim)]
    numbers = [value for value in (first, second) if type(value) in (int, float)]
    is_open = sizes and len(sizes) + len(numbers) == 2
    if is_open and isinstance(first - second, Dim):
        raise UnknownSize(str(sizes[0]))
    return bool(first == second)


def _holds(values: Iterable[Any], wanted: Any) -> bool:
    """Whether one of the values is equal; raises `UnknownSize` where that depends on a size."""
    unknown: UnknownSize | None = None
    for value in values:
        try:
            if _equal(value, wanted):
                return True
        except UnknownSize as error:
            unknown = error
    if unknown is not None:
        raise unknown
    return False


class Arithmetic:
    """Operators on values; counts the work against the limits before it is done.

    `length` is that of the texts, in characters.
    """

    def __init__(self, limits: Limits, length: int = 0) -> None:
        self.limits = limits
        self._left = limits.steps + STEPS_A_CHARACTER * length

    def charge(self, steps: int, span: Span) -> None:
        """Count work before it is done."""
        self._left -= steps
        if self._left < 0:
            self.refuse("steps", f"expanding takes more than {self.limits.steps:,} steps", span)

    def charge_list(self, value: object, span: Span, *, once: bool = False) -> None:
        """Count the work of going through a list and all the lists in it, if it is one, or through each `once`."""
        if type(value) is tuple:
            self.charge(extent(value, self._left + 1, once=once), span)

    def refuse(self, limit: str, message: str, span: Span) -> NoReturn:
        """Stop at a limit."""
        raise OverLimit(exceeded(limit, self.limits, message, span))

    def compare(self, sign: str, first: Any, second: Any, span: Span) -> bool:
        """Whether two values stand in an order, are equal or not, or the first is in the second, a list."""
        if sign in ("in", "not in"):
            if not is_list(second):
                fail("wrong-type", f"`{sign}` looks into a list, not into {kind(second)}", span)
            self.charge_list(second, span)
            return _holds(second, first) is (sign == "in")
        if sign in ("==", "!="):
            self.charge_list(first, span)
            return _equal(first, second) is (sign == "==")
        self.need_numbers(sign, (first, second), span)
        return _ORDER[sign](first, second)

    def arithmetic(self, sign: str, first: Any, second: Any, span: Span) -> object:
        """What `first sign second` is. Lists can be joined and repeated."""
        if sign == "+" and is_list(first) and is_list(second):
            self._make_room(len(first) + len(second), span)
            return first + second
        if sign == "*" and is_list(first) and type(second) is int:
            self._make_room(len(first) * second, span)
            return first * second
        self.need_numbers(sign, (first, second), span)
        if sign in ("/", "//", "%") and second == 0:
            fail("division-by-zero", f"`{show(first)} {sign} {show(second)}` divides by zero", span)
        if sign == "**" and not isinstance(first, Dim) and not isinstance(second, Dim):
            self._check_power(first, second, span)
        try:
            return self.checked(ARITHMETIC[sign](first, second), span)
        except OverflowError:
            self._too_large(span)

    def _check_power(self, base: Any, exponent: Any, span: Span) -> None:
        """The size of a power, before it is computed."""
        if base == 0 and exponent < 0:
            fail("division-by-zero", f"`{show(base)} ** {show(exponent)}` divides by zero", span)
        if base < 0 and isinstance(exponent, float) and not exponent.is_integer():
            fail("wrong-type", "a negative number has no such power", span)
        if abs(base) > 1 and exponent * math.log10(abs(base)) > self.limits.digits + 300:
            self._too_large(span)

    def need_numbers(self, sign: str, values: Iterable[object], span: Span) -> None:
        """Report an operand that is no number."""
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float | Dim):
                fail("wrong-type", f"`{sign}` takes numbers, not {kind(value)}", span)

    def checked(self, value: Any, span: Span) -> object:
        """A number within the limits."""
        if isinstance(value, float) and not math.isfinite(value):
            self._too_large(span)
        if isinstance(value, int) and abs(value) >= 10**self.limits.digits:
            self._too_large(span)
        return value

    def _too_large(self, span: Span) -> NoReturn:
        message = f"a number of more than {self.limits.digits} digits"
        raise SpecError(exceeded("digits", self.limits, message, span))

    def sized(self, items: Any, span: Span) -> tuple[object, ...]:
        """A list within the limits, made only when it is."""
        self._make_room(len(items), span)
        return tuple(items)

    def _make_room(self, length: int, span: Span) -> None:
        if length > self.limits.items:
            self.refuse("items", f"a list of {length:,} items", span)
        self.charge(max(length, 0), span)
