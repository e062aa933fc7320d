"""Ops that only rearrange."""

from typing import ClassVar

from netspec.ops.base import Example, Op, register
from netspec.shape import Shape


@register
class Flatten(Op):
    """All axes as one vector, in the order of the shape: `c h w` whatever the target's own layout."""

    kind = "flatten"
    examples: ClassVar = (
        Example("flatten", ((3, 4, 5),), (60,)),
        Example("flatten", ((6, 1, 1),), (6,)),
        Example("flatten", ((2, 3, 4, 2),), (48,)),
        Example("flatten", ((4, 5),), (20,)),
    )

    def infer(self, *inputs: Shape) -> Shape:
        """Everything -> `c`."""
        return Shape.of(inputs[0].elements)
