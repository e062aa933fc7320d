"""Functions that bend softly around 0: gelu and silu, elu and its kin, softplus and others between."""

from typing import Annotated, Literal

from pydantic import Field

from netspec.ops.activation.elementwise import Elementwise, examples_of
from netspec.ops.base import register
from netspec.ops.fields import Number


@register
class Silu(Elementwise):
    """x * sigmoid(x) (Hendrycks and Gimpel, 2016)."""

    kind = "silu"
    aliases = ("swish",)
    examples = examples_of("silu")


@register
class Gelu(Elementwise):
    """x * Phi(x), exactly or by the tanh formula of Hendrycks and Gimpel, 2016."""

    kind = "gelu"
    examples = examples_of("gelu", "gelu tanh")

    form: Annotated[Literal["exact", "tanh"], Field(description="`exact` (by erf) or `tanh`")] = (
        "exact"
    )


@register
class QuickGelu(Elementwise):
    """x * sigmoid(1.702 x), the approximation of `gelu` in OpenAI's CLIP and GPT."""

    kind = "quick_gelu"
    examples = examples_of("quick_gelu")


@register
class ReluSquared(Elementwise):
    """max(x, 0)**2 (Primer, So et al., 2021)."""

    kind = "relu_squared"
    examples = examples_of("relu_squared")


@register
class Elu(Elementwise):
    """x where x > 0, else alpha * (exp(x) - 1) (Clevert et al., 2015)."""

    kind = "elu"
    examples = examples_of("elu", "elu 0.7")

    alpha: Annotated[Number, Field(description="what very negative inputs come to, negated")] = 1.0


@register
class Selu(Elementwise):
    """The scaled `elu` that keeps mean 0 and variance 1 (Klambauer et al., 2017)."""

    kind = "selu"
    examples = examples_of("selu")


@register
class Celu(Elementwise):
    """x where x > 0, else alpha * (exp(x / alpha) - 1) (Barron, 2017): smooth for every alpha."""

    kind = "celu"
    examples = examples_of("celu", "celu 0.7")

    alpha: Annotated[
        Number, Field(gt=0, description="what very negative inputs come to, negated")
    ] = 1.0


@register
class Mish(Elementwise):
    """x * tanh(softplus(x)) (Misra, 2019)."""

    kind = "mish"
    examples = examples_of("mish")


@register
class HardSwish(Elementwise):
    """x * min(max(x + 3, 0), 6) / 6 (MobileNetV3, Howard et al., 2019)."""

    kind = "hardswish"
    aliases = ("hard_swish", "hard_silu")
    examples = examples_of("hardswish")


@register
class Softplus(Elementwise):
    """log(1 + exp(beta * x)) / beta, computed stably."""

    kind = "softplus"
    examples = examples_of("softplus", "softplus 2")

    beta: Annotated[Number, Field(gt=0, description="how sharp the bend is")] = 1.0


@register
class Squareplus(Elementwise):
    """(x + sqrt(x**2 + b)) / 2 (Barron, 2021)."""

    kind = "squareplus"
    examples = examples_of("squareplus", "squareplus 0.5")

    b: Annotated[Number, Field(gt=0, description="how round the bend is")] = 4.0


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
