"""Softmax along one axis, and its logarithm."""

from typing import Annotated

from pydantic import Field

from netspec.ops.base import Example, Op, register
from netspec.ops.fields import place_of
from netspec.shape import Shape


class _AlongAxis(Op):
    """Works along one axis and keeps the shape."""

    layout = "any"

    axis: Annotated[str, Field(description="the letter of the axis")] = "c"

    @property
    def is_positionwise(self) -> bool:
        """Over the features."""
        return self.axis == "c"

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        place_of(inputs[0], self.axis)
        return inputs[0]


def _along_axes(kind: str) -> tuple[Example, ...]:
    lines = ((kind, (3, 4, 5)), (kind, (6,)), (kind, (4, 5)), (f"{kind} axis=w", (2, 3, 2, 3)))
    more = ((f"{kind} axis=h", (3, 4, 5)), (f"{kind} axis=t", (4, 5)))
    return tuple(Example(line, (shape,), shape) for line, shape in (*lines, *more))


@register
class Softmax(_AlongAxis):
    """exp(x) over its sum along one axis: the features unless `axis` names another."""

    kind = "softmax"
    examples = _along_axes("softmax")


@register
class LogSoftmax(_AlongAxis):
    """The logarithm of `softmax`, computed stably."""

    kind = "log_softmax"
    examples = _along_axes("log_softmax")
