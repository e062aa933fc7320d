"""Rectifiers: relu, and what bends the negative side. None but `prelu` has weights."""

from typing import Annotated

from pydantic import Field

from netspec.ops.activation.elementwise import Elementwise, examples_of
from netspec.ops.base import Example, Init, Weight, register
from netspec.ops.fields import Number, Start, place_of
from netspec.shape import Shape


@register
class Relu(Elementwise):
    """max(x, 0)."""

    kind = "relu"
    examples = examples_of("relu")


@register
class Relu6(Elementwise):
    """min(max(x, 0), 6)."""

    kind = "relu6"
    examples = examples_of("relu6")


@register
class LeakyRelu(Elementwise):
    """x where x > 0, else slope * x."""

    kind = "leaky_relu"
    examples = examples_of("leaky_relu", "leaky_relu 0.2", "leaky_relu (-0.5)")

    slope: Annotated[Number, Field(description="factor of negative inputs")] = 0.01

    def is_identity(self, *inputs: Shape) -> bool:
        """Of a slope of 1."""
        del inputs
        return self.slope == 1


@register
class Prelu(Elementwise):
    """x where x > 0, else a learned slope times x: one for each channel, or one for all (He et al., 2015)."""

    kind = "prelu"
    elementwise = False
    positionwise = True
    examples = (
        Example("prelu", ((3, 4, 5),), (3, 4, 5)),
        Example("prelu shared=true", ((3, 4, 5),), (3, 4, 5)),
        Example("prelu init=normal(0.1)", ((4, 5),), (4, 5)),
        Example("prelu init=0.1", ((6,),), (6,)),
        Example("prelu", ((2, 3, 2, 2),), (2, 3, 2, 2)),
    )

    init: Annotated[Start, Field(description="how the slopes start; as 0.25 if not given")] = None
    shared: Annotated[bool, Field(description="whether one slope serves all channels")] = False

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        place_of(inputs[0], "c")
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (c)`, or `weight (1)` where it is shared."""
        channels = 1 if self.shared else inputs[0].axis("c")
        return (Weight("weight", (channels,), Init.constant(0.25)).starting(self.init),)
