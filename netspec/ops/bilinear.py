"""Products of two tensors through learned weights."""

from typing import Annotated, ClassVar

from pydantic import Field

from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import BiasInitial, Count, Initial
from netspec.shape import Shape


@register
class Bilinear(Op):
    """For each output feature a learned form of two branches, `x^T W y + b`: PyTorch's `nn.Bilinear`.

    The features are the last axis of both, at every place of the axes before it.
    """

    kind = "bilinear"
    accepts = ("vector", "sequence", "tensor")
    merges = True
    examples: ClassVar = (
        Example("bilinear 4 { @a | @b }", ((3,), (5,)), (4,)),
        Example("bilinear 2 init=orthogonal() { @a | @b }", ((2,), (3,)), (2,)),
        Example("bilinear 2 bias=false { @a | @b }", ((4, 3), (4, 2)), (4, 2)),
        Example(
            "bilinear 3 init=normal(0.2) bias_init=ones() { @a -> windows 1 | @b -> windows 1 }",
            ((2, 1, 3), (4, 1, 3)),
            (3, 1, 3),
        ),
    )

    units: Annotated[Count, Field(description="output features")]
    bias: Annotated[bool, Field(description="whether a bias is added")] = True
    init: Initial = None
    bias_init: BiasInitial = None

    def infer(self, *inputs: Shape) -> Shape:
        """`c`, `c' -> units`; `t c`, `t c' -> t units`."""
        if len(inputs) != 2:
            raise Rejected(
                "wrong-branches",
                f"`{self.kind}` takes two branches, got {len(inputs)}",
                help=f"write `{self.kind} {self.units} {{ a | b }}`",
            )
        first, second = inputs
        if (
            first.axes != second.axes
            or not first.axes.endswith("c")
            or first.sizes[:-1] != second.sizes[:-1]
        ):
            axes = " and ".join(f"{x} ({' '.join(x.axes)})" for x in inputs)
            raise Rejected(
                "unequal-branches",
                f"`{self.kind}` needs branches with `c` last that agree elsewhere, not {axes}",
            )
        return first.with_sizes(*first.sizes[:-1], self.units)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (units, c, c')`, `bias (units)`."""
        first, second = (x.axis("c") for x in inputs)
        init = Init.fan_in(first)
        weight = Weight("weight", (self.units, first, second), init).starting(self.init)
        bias = Weight("bias", (self.units,), init).starting(self.bias_init)
        return (weight, bias) if self.bias else (weight,)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per weight for the first branch, and one per feature of the first for the second, at each place."""
        first, second = (x.axis("c") for x in inputs)
        return output.elements * first * (second + 1)
