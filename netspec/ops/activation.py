"""Functions of each element, and softmax along one axis. None but `prelu` has weights."""

from typing import Annotated, Literal

from pydantic import Field

from netspec.ops.base import Example, Init, Op, Weight, register
from netspec.ops.fields import Number, place_of
from netspec.shape import Shape


def _examples(*lines: str) -> tuple[Example, ...]:
    """On an image and on a sequence, since nothing else can differ for a function of each element."""
    shapes: tuple[tuple[int, ...], ...] = ((3, 4, 5), (4, 5))
    return tuple(Example(line, (shape,), shape) for line in lines for shape in shapes)


class _Elementwise(Op):
    """Keeps the shape."""

    layout = "any"
    elementwise = True

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        return inputs[0]


@register
class Relu(_Elementwise):
    """max(x, 0)."""

    kind = "relu"
    examples = _examples("relu")


@register
class Relu6(_Elementwise):
    """min(max(x, 0), 6)."""

    kind = "relu6"
    examples = _examples("relu6")


@register
class LeakyRelu(_Elementwise):
    """x where x > 0, else slope * x."""

    kind = "leaky_relu"
    examples = _examples("leaky_relu", "leaky_relu 0.2")

    slope: Annotated[Number, Field(description="factor of negative inputs")] = 0.01

    def is_identity(self, *inputs: Shape) -> bool:
        """Of a slope of 1."""
        del inputs
        return self.slope == 1


@register
class Sigmoid(_Elementwise):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"
    examples = _examples("sigmoid")


@register
class Tanh(_Elementwise):
    """The hyperbolic tangent."""

    kind = "tanh"
    examples = _examples("tanh")


@register
class Silu(_Elementwise):
    """x * sigmoid(x) (Hendrycks and Gimpel, 2016)."""

    kind = "silu"
    aliases = ("swish",)
    examples = _examples("silu")


@register
class Gelu(_Elementwise):
    """x * Phi(x), exactly or by the tanh formula of Hendrycks and Gimpel, 2016."""

    kind = "gelu"
    examples = _examples("gelu", "gelu tanh")

    form: Annotated[Literal["exact", "tanh"], Field(description="`exact` (by erf) or `tanh`")] = (
        "exact"
    )


@register
class QuickGelu(_Elementwise):
    """x * sigmoid(1.702 x), the approximation of `gelu` in OpenAI's CLIP and GPT."""

    kind = "quick_gelu"
    examples = _examples("quick_gelu")


@register
class ReluSquared(_Elementwise):
    """max(x, 0)**2 (Primer, So et al., 2021)."""

    kind = "relu_squared"
    examples = _examples("relu_squared")


@register
class Elu(_Elementwise):
    """x where x > 0, else alpha * (exp(x) - 1) (Clevert et al., 2015)."""

    kind = "elu"
    examples = _examples("elu", "elu 0.7")

    alpha: Annotated[Number, Field(description="what very negative inputs come to, negated")] = 1.0


@register
class Selu(_Elementwise):
    """The scaled `elu` that keeps mean 0 and variance 1 (Klambauer et al., 2017)."""

    kind = "selu"
    examples = _examples("selu")


@register
class Celu(_Elementwise):
    """x where x > 0, else alpha * (exp(x / alpha) - 1) (Barron, 2017): smooth for every alpha."""

    kind = "celu"
    examples = _examples("celu", "celu 0.7")

    alpha: Annotated[
        Number, Field(gt=0, description="what very negative inputs come to, negated")
    ] = 1.0


@register
class Mish(_Elementwise):
    """x * tanh(softplus(x)) (Misra, 2019)."""

    kind = "mish"
    examples = _examples("mish")


@register
class HardSwish(_Elementwise):
    """x * min(max(x + 3, 0), 6) / 6 (MobileNetV3, Howard et al., 2019)."""

    kind = "hardswish"
    aliases = ("hard_swish", "hard_silu")
    examples = _examples("hardswish")


@register
class HardSigmoid(_Elementwise):
    """min(max(x + 3, 0), 6) / 6."""

    kind = "hardsigmoid"
    aliases = ("hard_sigmoid",)
    examples = _examples("hardsigmoid")


@register
class HardTanh(_Elementwise):
    """min(max(x, -1), 1); `clamp` has other bounds."""

    kind = "hardtanh"
    aliases = ("hard_tanh",)
    examples = _examples("hardtanh")


@register
class Softplus(_Elementwise):
    """log(1 + exp(beta * x)) / beta, computed stably."""

    kind = "softplus"
    examples = _examples("softplus", "softplus 2")

    beta: Annotated[Number, Field(gt=0, description="how sharp the bend is")] = 1.0


@register
class Softsign(_Elementwise):
    """x / (1 + |x|)."""

    kind = "softsign"
    examples = _examples("softsign")


@register
class LogSigmoid(_Elementwise):
    """The logarithm of `sigmoid`, computed stably."""

    kind = "log_sigmoid"
    aliases = ("logsigmoid",)
    examples = _examples("log_sigmoid")


@register
class Softshrink(_Elementwise):
    """x moved by `threshold` towards 0, and 0 where |x| is not above it."""

    kind = "softshrink"
    aliases = ("soft_shrink",)
    examples = _examples("softshrink", "softshrink 0.2")

    threshold: Annotated[Number, Field(ge=0, description="inputs this near to 0 become 0")] = 0.5

    def is_identity(self, *inputs: Shape) -> bool:
        """Of a threshold of 0."""
        del inputs
        return self.threshold == 0


@register
class Hardshrink(_Elementwise):
    """x where |x| > threshold, else 0."""

    kind = "hardshrink"
    aliases = ("hard_shrink",)
    examples = _examples("hardshrink", "hardshrink 0.2")

    threshold: Annotated[Number, Field(ge=0, description="inputs this near to 0 become 0")] = 0.5

    def is_identity(self, *inputs: Shape) -> bool:
        """Of a threshold of 0."""
        del inputs
        return self.threshold == 0


@register
class Tanhshrink(_Elementwise):
    """x - tanh(x)."""

    kind = "tanhshrink"
    aliases = ("tanh_shrink",)
    examples = _examples("tanhshrink")


@register
class Threshold(_Elementwise):
    """x where x > threshold, else `value`."""

    kind = "threshold"
    examples = _examples("threshold 0.5", "threshold (-0.2) (-3)")

    threshold: Annotated[Number, Field(description="inputs above it stay")]
    value: Annotated[Number, Field(description="what the others become")] = 0.0


@register
class Squareplus(_Elementwise):
    """(x + sqrt(x**2 + b)) / 2 (Barron, 2021)."""

    kind = "squareplus"
    examples = _examples("squareplus", "squareplus 0.5")

    b: Annotated[Number, Field(gt=0, description="how round the bend is")] = 4.0


@register
class Prelu(_Elementwise):
    """x where x > 0, else a learned slope times x: one for each channel, or one for all (He et al., 2015)."""

    kind = "prelu"
    elementwise = False
    examples = (
        Example("prelu", ((3, 4, 5),), (3, 4, 5)),
        Example("prelu shared=true", ((3, 4, 5),), (3, 4, 5)),
        Example("prelu", ((4, 5),), (4, 5)),
        Example("prelu init=0.1", ((6,),), (6,)),
        Example("prelu", ((2, 3, 2, 2),), (2, 3, 2, 2)),
    )

    init: Annotated[Number, Field(description="what every slope starts as")] = 0.25
    shared: Annotated[bool, Field(description="whether one slope serves all channels")] = False

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        place_of(inputs[0], "c")
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (c)`, or `weight (1)` where it is shared."""
        channels = 1 if self.shared else inputs[0].axis("c")
        return (Weight("weight", (channels,), Init.constant(self.init)),)


class _AlongAxis(Op):
    """Works along one axis and keeps the shape."""

    layout = "any"

    axis: Annotated[str, Field(description="the letter of the axis")] = "c"

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
