"""Axes in another order."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from netspec.ops.base import Example, Op, Rejected, register
from netspec.shape import Shape


def _letters(value: object) -> object:
    """`"h w c"` is `"hwc"`."""
    return value.replace(" ", "") if isinstance(value, str) else value


@register
class Permute(Op):
    """The same tensor with its axes in another order, each named by its letter: `permute "h w c"`."""

    kind = "permute"
    aliases = ("transpose",)
    dtypes = ("float", "int")
    examples = (
        Example('permute "c t"', ((4, 5),), (5, 4)),
        Example('permute "h w c"', ((3, 4, 5),), (4, 5, 3)),
        Example('permute "c w h"', ((3, 4, 5),), (3, 5, 4)),
        Example('permute "w c d h"', ((2, 3, 4, 5),), (5, 2, 3, 4)),
        Example('permute "c h w"', ((3, 4, 5),), (3, 4, 5)),
    )

    axes: Annotated[
        str, BeforeValidator(_letters), Field(description="the letters of all axes, in their order")
    ]

    def infer(self, *inputs: Shape) -> Shape:
        """The same axes in the new order."""
        (x,) = inputs
        if sorted(self.axes) != sorted(x.axes):
            raise Rejected(
                "unknown-axis",
                f"`permute` must name each of the axes `{' '.join(x.axes)}` once, got `{' '.join(self.axes)}`",
                param="axes",
                help=f'for instance `permute "{" ".join(reversed(x.axes))}"`',
            )
        return x.in_order(self.axes)

    def is_identity(self, *inputs: Shape) -> bool:
        """In the order that they have."""
        return self.axes == inputs[0].axes
