"""Functions of each element, and softmax over the features. None has weights."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from netspec.ops.base import Example, Op, register
from netspec.ops.fields import Number
from netspec.shape import Shape


def _examples(*lines: str) -> tuple[Example, ...]:
    shapes: tuple[tuple[int, ...], ...] = ((3, 4, 5), (6,), (4, 5), (2, 3, 2, 2))
    return tuple(Example(line, (shape,), shape) for line in lines for shape in shapes)


class _Elementwise(Op):
    """Keeps the shape."""

    layout = "any"

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        return inputs[0]


@register
class Relu(_Elementwise):
    """max(x, 0)."""

    kind = "relu"
    examples: ClassVar = _examples("relu")


@register
class Relu6(_Elementwise):
    """min(max(x, 0), 6)."""

    kind = "relu6"
    examples: ClassVar = _examples("relu6")


@register
class LeakyRelu(_Elementwise):
    """x where x > 0, else slope * x."""

    kind = "leaky_relu"
    examples: ClassVar = _examples("leaky_relu", "leaky_relu 0.2")

    slope: Annotated[Number, Field(description="factor of negative inputs")] = 0.01


@register
class Sigmoid(_Elementwise):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"
    examples: ClassVar = _examples("sigmoid")


@register
class Tanh(_Elementwise):
    """The hyperbolic tangent."""

    kind = "tanh"
    examples: ClassVar = _examples("tanh")


@register
class Silu(_Elementwise):
    """x * sigmoid(x) (Hendrycks and Gimpel, 2016)."""

    kind = "silu"
    aliases = ("swish",)
    examples: ClassVar = _examples("silu")


@register
class Gelu(_Elementwise):
    """x * Phi(x), exactly or by the tanh formula of Hendrycks and Gimpel, 2016."""

    kind = "gelu"
    examples: ClassVar = _examples("gelu", "gelu tanh")

    form: Annotated[Literal["exact", "tanh"], Field(description="`exact` (by erf) or `tanh`")] = (
        "exact"
    )


@register
class Softmax(_Elementwise):
    """exp(x) over its sum along the features (axis `c`)."""

    kind = "softmax"
    examples: ClassVar = _examples("softmax")


@register
class LogSoftmax(_Elementwise):
    """The logarithm of `softmax`, computed stably."""

    kind = "log_softmax"
    examples: ClassVar = _examples("log_softmax")
