"""How much a spec may ask for, and how a refusal reads. Knows nothing of who counts."""

import sys
from collections.abc import Iterable
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.dim import Dim
from netspec.source import Span


class Limits(NamedTuple):
    """Bounds that hold before time or memory is spent. Every one can be raised by the caller."""

    source_bytes: int = 4 << 20  # of a text, and of all that it uses together
    files: int = 64  # used by one text, directly or not
    tokens: int = 500_000  # of a text and all that it uses together
    word: int = 10_000  # characters of one name, number, string or label
    nesting: int = 64  # brackets within brackets, or operators within operators, in the text
    calls: int = 64  # blocks within blocks, after expansion
    nodes: int = 100_000  # ops after expansion
    steps: int = (
        1_000_000  # of expansion, each about a microsecond; a text's own length adds to them
    )
    items: int = 100_000  # of one list
    digits: int = 40  # of one number
    path: int = 2_000  # characters of the name that a step has after expansion
    elements: int = 2**40  # of one tensor or weight
    parameters: int = 2**36  # of all weights together
    activation_bytes: int = 2**42  # of all results together, for one example in float32
    errors: int = 20  # reported in one run
    warnings: int = 1_000  # reported of one text


DEFAULT = Limits()

_LEAST, _MOST = {"errors": 1, "warnings": 1}, {"digits": 4000}
"""Nothing would be said of what is wrong, and Python writes no longer numbers."""


def exceeded(limit: str, limits: Limits, message: str, span: Span | None) -> Diagnostic:
    """The refusal: `message` states what was asked for, the help names the limit."""
    return Diagnostic("over-limit", message, span, label="here", help=bound(limit, limits))


def bound(limit: str, limits: Limits) -> str:
    """The limit in words."""
    return f"the limit `{limit}` is {getattr(limits, limit):,}"


def with_settings(settings: Iterable[str], limits: Limits = DEFAULT) -> Limits:
    """The limits with some replaced, each written `nodes=200000`. Raises SpecError."""
    for setting in settings:
        name, equals, value = setting.partition("=")
        digits = value.replace("_", "").strip()
        if not equals or not digits.isdecimal() or not digits.isascii() or len(digits) > 18:
            message = f"`{setting[:60]}` sets no limit"
            raise SpecError(Diagnostic("bad-limit", message, help="write `nodes=200000`"))
        if (name := name.strip()) not in Limits._fields:
            help_ = did_you_mean(name, Limits._fields) or f"limits are {', '.join(Limits._fields)}"
            raise SpecError(Diagnostic("bad-limit", f"no limit is called `{name}`", help=help_))
        if not _LEAST.get(name, 0) <= int(digits) <= _MOST.get(name, sys.maxsize):
            bounds = [f"at least {_LEAST[name]}"] if name in _LEAST else []
            bounds += [f"at most {_MOST[name]:,}"] if name in _MOST else []
            raise SpecError(Diagnostic("bad-limit", f"`{name}` is {' and '.join(bounds)}"))
        limits = limits._replace(**{name: int(digits)})
    return limits


class Memory:
    """Counts what a network will hold, one step after another, before any of it is there."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self.parameters = 0
        self.activation_bytes = 0

    def add(self, result: int, weights: int) -> tuple[str, str] | None:
        """Count the elements of one more step. What is beyond a limit, and which limit that is, or None.

        A result whose size is known only at run time is not counted.
        """
        self.parameters += weights
        if not isinstance(result, Dim):
            self.activation_bytes += 4 * result
        if self.parameters > self.limits.parameters:
            return f"the net has {self.parameters:.3g} parameters up to here", "parameters"
        if self.activation_bytes > self.limits.activation_bytes:
            message = f"one example takes {self.activation_bytes:.3g} bytes up to here"
            return message, "activation_bytes"
        return None
