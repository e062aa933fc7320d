"""Element functions of mathematics, and arithmetic with a constant. None has weights."""

from typing import Annotated

from pydantic import Field

from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import Number
from netspec.shape import Shape

_POSITIVE = "square -> plus 0.5 ->"
"""Makes examples' inputs positive for the functions that need it."""


def _examples(*lines: str) -> tuple[Example, ...]:
    shapes: tuple[tuple[int, ...], ...] = ((3, 4, 5), (6,))
    return tuple(Example(line, (shape,), shape) for line in lines for shape in shapes)


class _Function(Op):
    """Keeps the shape."""

    layout = "any"
    elementwise = True

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        return inputs[0]


@register
class Times(_Function):
    """k * x: a constant factor. `scale` learns one for each channel."""

    kind = "times"
    examples = _examples("times 0.5", "times (-2)")

    k: Annotated[Number, Field(description="the factor")]

    def is_identity(self, *inputs: Shape) -> bool:
        """By 1."""
        del inputs
        return self.k == 1


@register
class Plus(_Function):
    """x + k: a constant is added. `shift` learns one for each channel."""

    kind = "plus"
    examples = _examples("plus 1", "plus (-0.5)")

    k: Annotated[Number, Field(description="what is added")]

    def is_identity(self, *inputs: Shape) -> bool:
        """Of 0."""
        del inputs
        return self.k == 0


@register
class Power(_Function):
    """x**k; without a meaning where x is negative and k no whole number."""

    kind = "pow"
    aliases = ("power",)
    examples = _examples("pow 3", f"{_POSITIVE} pow (-0.5)")

    k: Annotated[Number, Field(description="the exponent")]

    def is_identity(self, *inputs: Shape) -> bool:
        """To the power of 1."""
        del inputs
        return self.k == 1


@register
class Clamp(_Function):
    """x, but at least `low` and at most `high`."""

    kind = "clamp"
    aliases = ("clip",)
    examples = _examples("clamp (-0.5) 1", "clamp 0", "clamp high=0.25")

    low: Annotated[Number | None, Field(description="the least result; no bound if not given")] = (
        None
    )
    high: Annotated[
        Number | None, Field(description="the largest result; no bound if not given")
    ] = None

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        if self.low is None and self.high is None:
            raise Rejected(
                "missing-argument", "`clamp` needs `low`, `high` or both", help="write `clamp 0 1`"
            )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise Rejected(
                "bad-argument",
                f"nothing is both at least {self.low:g} and at most {self.high:g}",
                param="high",
            )
        return inputs[0]


@register
class Exp(_Function):
    """The exponential."""

    kind = "exp"
    examples = _examples("exp")


@register
class Log(_Function):
    """The natural logarithm."""

    kind = "log"
    examples = _examples(f"{_POSITIVE} log")


@register
class Sqrt(_Function):
    """The square root."""

    kind = "sqrt"
    examples = _examples(f"{_POSITIVE} sqrt")


@register
class Rsqrt(_Function):
    """1 / sqrt(x)."""

    kind = "rsqrt"
    examples = _examples(f"{_POSITIVE} rsqrt")


@register
class Square(_Function):
    """x * x."""

    kind = "square"
    examples = _examples("square")


@register
class Abs(_Function):
    """|x|; its derivative at 0 is 0."""

    kind = "abs"
    examples = _examples("abs")


@register
class Negative(_Function):
    """-x."""

    kind = "neg"
    aliases = ("negative",)
    examples = _examples("neg")


@register
class Reciprocal(_Function):
    """1 / x."""

    kind = "reciprocal"
    examples = _examples(f"{_POSITIVE} reciprocal")


@register
class Sign(_Function):
    """-1, 0 or 1. Its derivative is 0."""

    kind = "sign"
    examples = _examples("sign")


@register
class Floor(_Function):
    """The next whole number below. Its derivative is 0."""

    kind = "floor"
    examples = _examples("floor")


@register
class Ceil(_Function):
    """The next whole number above. Its derivative is 0."""

    kind = "ceil"
    examples = _examples("ceil")


@register
class Round(_Function):
    """The nearest whole number, the even one of two. Its derivative is 0."""

    kind = "round"
    examples = _examples("round", "floor -> plus 0.5 -> round")


@register
class Sin(_Function):
    """The sine of x radians."""

    kind = "sin"
    examples = _examples("sin")


@register
class Cos(_Function):
    """The cosine of x radians."""

    kind = "cos"
    examples = _examples("cos")


@register
class Erf(_Function):
    """The error function: 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""

    kind = "erf"
    examples = _examples("erf")
