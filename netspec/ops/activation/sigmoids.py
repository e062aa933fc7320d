"""The two sigmoid functions."""

from netspec.ops.activation.elementwise import Elementwise, examples_of
from netspec.ops.base import register


@register
class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"
    examples = examples_of("sigmoid")


@register
class Tanh(Elementwise):
    """The hyperbolic tangent."""

    kind = "tanh"
    examples = examples_of("tanh")
