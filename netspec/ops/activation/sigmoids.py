"""Functions between two bounds, and the logarithm of one."""

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


@register
class HardSigmoid(Elementwise):
    """min(max(x + 3, 0), 6) / 6."""

    kind = "hardsigmoid"
    aliases = ("hard_sigmoid",)
    examples = examples_of("hardsigmoid")


@register
class Softsign(Elementwise):
    """x / (1 + |x|)."""

    kind = "softsign"
    examples = examples_of("softsign")


@register
class LogSigmoid(Elementwise):
    """The logarithm of `sigmoid`, computed stably."""

    kind = "log_sigmoid"
    aliases = ("logsigmoid",)
    examples = examples_of("log_sigmoid")


@register
class Tanhshrink(Elementwise):
    """x - tanh(x)."""

    kind = "tanhshrink"
    aliases = ("tanh_shrink",)
    examples = examples_of("tanhshrink")
