"""Other functions made of straight lines: cut between bounds, or around 0."""

from typing import Annotated

from pydantic import Field

from netspec.ops.activation.elementwise import Elementwise, examples_of
from netspec.ops.base import register
from netspec.ops.fields import Number
from netspec.shape import Shape


@register
class HardTanh(Elementwise):
    """min(max(x, -1), 1); `clamp` has other bounds."""

    kind = "hardtanh"
    aliases = ("hard_tanh",)
    examples = examples_of("hardtanh")


@register
class HardSigmoid(Elementwise):
    """min(max(x + 3, 0), 6) / 6."""

    kind = "hardsigmoid"
    aliases = ("hard_sigmoid",)
    examples = examples_of("hardsigmoid")


@register
class Softshrink(Elementwise):
    """x moved by `threshold` towards 0, and 0 where |x| is not above it."""

    kind = "softshrink"
    aliases = ("soft_shrink",)
    examples = examples_of("softshrink", "softshrink 0.2")

    threshold: Annotated[Number, Field(ge=0, description="inputs this near to 0 become 0")] = 0.5

    def is_identity(self, *inputs: Shape) -> bool:
        """Of a threshold of 0."""
        del inputs
        return self.threshold == 0


@register
class Hardshrink(Elementwise):
    """x where |x| > threshold, else 0."""

    kind = "hardshrink"
    aliases = ("hard_shrink",)
    examples = examples_of("hardshrink", "hardshrink 0.2")

    threshold: Annotated[Number, Field(ge=0, description="inputs this near to 0 become 0")] = 0.5

    def is_identity(self, *inputs: Shape) -> bool:
        """Of a threshold of 0."""
        del inputs
        return self.threshold == 0


@register
class Threshold(Elementwise):
    """x where x > threshold, else `value`."""

    kind = "threshold"
    examples = examples_of("threshold 0.5", "threshold (-0.2) (-3)")

    threshold: Annotated[Number, Field(description="inputs above it stay")]
    value: Annotated[Number, Field(description="what the others become")] = 0.0
