"""How weights start: the rules, as data, and what they come to for a weight's shape. Draws nothing."""

from math import prod, sqrt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Mode = Literal["fan_in", "fan_out"]
Rule = Literal[
    "constant",
    "uniform",
    "normal",
    "trunc_normal",
    "orthogonal",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "lecun_normal",
]
LARGEST_FLOAT = float.fromhex("0x1.fffffep127")
"""Of float32, in which weights and constants are."""
FANNED = ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "lecun_normal")
"""The rules whose scale follows from a weight's shape."""


class Init(BaseModel):
    """How a weight starts: a rule, and its one number.

    The number is the value of a `constant`, the bound `a` of `uniform` on [-a, a), the standard deviation
    of `normal` and of `trunc_normal` (which is cut at two of them, and not rescaled), and otherwise the
    gain. Fans are PyTorch's: a weight of shape `(o, i, *k)` has `fan_in = i * prod(k)` and
    `fan_out = o * prod(k)`. No normal distribution is cut but that of `trunc_normal`.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    rule: Rule
    value: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    mode: Mode = "fan_in"

    @classmethod
    def constant(cls, value: float) -> "Init":
        """Every element starts as `value`."""
        return cls(rule="constant", value=float(value))

    @classmethod
    def uniform(cls, bound: float) -> "Init":
        """Uniform between `-bound` and `bound`."""
        return cls(rule="uniform", value=float(bound))

    @classmethod
    def normal(cls, deviation: float) -> "Init":
        """Normal around 0."""
        return cls(rule="normal", value=float(deviation))

    @classmethod
    def fan_in(cls, fan_in: int) -> "Init":
        """Uniform within 1/sqrt(fan_in): Kaiming's uniform rule with the gain that PyTorch's layers use."""
        return cls.uniform(float(fan_in) ** -0.5)

    def settled(self, shape: tuple[int, ...]) -> "Init":
        """The same for a weight of that shape, without fans: constant, uniform, normal, trunc_normal or orthogonal."""
        if self.rule not in FANNED:
            return self
        window = prod(shape[2:])
        fan_in, fan_out = shape[1] * window, shape[0] * window
        if self.rule in ("xavier_uniform", "xavier_normal"):
            deviation = self.value * sqrt(2 / (fan_in + fan_out))
        else:
            fan = fan_out if self.mode == "fan_out" else fan_in
            deviation = sqrt((1 if self.rule == "lecun_normal" else 2) / fan)
        if self.rule.endswith("uniform"):
            return Init.uniform(sqrt(3) * deviation)
        return Init.normal(deviation)

    def reason_against(self, shape: tuple[int, ...]) -> str | None:
        """Why a weight of that shape cannot start so, or None."""
        if len(shape) < 2 and (self.rule in FANNED or self.rule == "orthogonal"):
            return f"`{self}` needs a weight of two axes or more"
        if abs(self.value) > LARGEST_FLOAT:
            return f"`{self}` is beyond float32"
        return None

    def __str__(self) -> str:
        """The call in the language that gives it."""
        if self.rule == "constant" and self.value in (0, 1):
            return "ones()" if self.value else "zeros()"
        if self.rule in ("constant", "uniform", "normal", "trunc_normal"):
            return f"{self.rule}({self.value:g})"
        if self.mode != "fan_in":
            return f"{self.rule}({self.mode})"
        return f"{self.rule}({f'{self.value:g}' if self.value != 1 else ''})"
