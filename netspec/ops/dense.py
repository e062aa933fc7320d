"""Fully connected layers."""

from typing import Annotated, ClassVar

from pydantic import Field

from netspec.ops.base import Example, Init, Op, Weight, register
from netspec.ops.fields import BiasInitial, Count, Initial
from netspec.ops.reshape import Flatten
from netspec.shape import Shape


@register
class Dense(Op):
    """An affine map of the features: of a vector, or of each step of a sequence; an image is flattened first."""

    kind = "dense"
    aliases = ("linear",)
    accepts = ("vector", "sequence")
    examples: ClassVar = (
        Example("dense 5", ((7,),), (5,)),
        Example("dense 5 bias=false", ((7,),), (5,)),
        Example("dense 5", ((4, 7),), (4, 5)),
        Example("dense 5", ((3, 4, 2),), (5,)),
        Example("dense 5", ((2, 3, 2, 2),), (5,)),
        Example("dense 5 init=trunc_normal(0.02) bias_init=zeros()", ((7,),), (5,)),
    )

    units: Annotated[Count, Field(description="output features")]
    bias: Annotated[bool, Field(description="whether a bias is added")] = True
    init: Initial = None
    bias_init: BiasInitial = None

    def prelude(self, *inputs: Shape) -> Op | None:
        """An image or a volume is flattened first, in `c h w` order."""
        return Flatten() if inputs[0].kind in ("image", "volume") else None

    def infer(self, *inputs: Shape) -> Shape:
        """`c -> units`, `t c -> t units`."""
        (x,) = inputs
        return x.with_sizes(*x.sizes[:-1], self.units)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (units, c)`, `bias (units)`."""
        features = inputs[0].axis("c")
        init = Init.fan_in(features)
        weight = Weight("weight", (self.units, features), init).starting(self.init)
        bias = Weight("bias", (self.units,), init).starting(self.bias_init)
        return (weight, bias) if self.bias else (weight,)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per weight and step."""
        return output.elements * inputs[0].axis("c")
