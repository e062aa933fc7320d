"""Noise that regularises training and vanishes at inference."""

from typing import Annotated, ClassVar

from pydantic import Field

from netspec.ops.base import Example, Op, register
from netspec.ops.fields import Rate
from netspec.shape import Shape


@register
class Dropout(Op):
    """Zeroes each element with probability `rate` in training and scales the rest by 1 / (1 - rate)."""

    kind = "dropout"
    layout = "any"
    examples: ClassVar = (
        Example("dropout 0.5", ((6,),), (6,)),
        Example("dropout", ((3, 4, 4),), (3, 4, 4)),
        Example("dropout 0", ((4, 5),), (4, 5)),
    )

    rate: Annotated[Rate, Field(description="probability that an element is dropped")] = 0.5

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        return inputs[0]
