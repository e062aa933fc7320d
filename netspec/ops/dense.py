"""Fully connected layers."""

from typing import Annotated, Literal

from pydantic import Field

from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import BiasInitial, Count, Initial
from netspec.shape import Shape


def _mapped(op: Op, x: Shape, features: int) -> Shape:
    """The shape with other features, which are the last axis; raises `Rejected` where they are not."""
    if not x.axes.endswith("c"):
        raise Rejected(
            "wrong-kind",
            f"`{op.kind}` takes a tensor whose last axis is `c`, not `{' '.join(x.axes)}` of {x}",
            help='`permute` puts the features last; `rearrange "steps channels -> channels steps"` '
            "makes the steps of a sequence the features",
        )
    return x.with_sizes(*x.sizes[:-1], features)


@register
class Dense(Op):
    """An affine map of the features: of a vector, of each step of a sequence, or at each place of a tensor.

    A tensor has them last, as `permute "h w c"` puts them. An image is flattened first.
    """

    kind = "dense"
    aliases = ("linear",)
    accepts = ("vector", "sequence", "tensor")
    ties = "inputs"
    positionwise = True
    examples = (
        Example("dense 5", ((7,),), (5,)),
        Example("dense 5 bias=false", ((7,),), (5,)),
        Example("dense 5", ((4, 7),), (4, 5)),
        Example("dense 5", ((3, 4, 2),), (5,)),
        Example("dense 5", ((2, 3, 2, 2),), (5,)),
        Example('permute "h w c" -> dense 5', ((3, 4, 2),), (4, 2, 5)),
        Example("dense 5 init=trunc_normal(0.02) bias_init=0.5", ((7,),), (5,)),
    )

    units: Annotated[Count, Field(description="output features")]
    bias: Annotated[bool, Field(description="whether a bias is added")] = True
    init: Initial = None
    bias_init: BiasInitial = None

    def prelude(self, *inputs: Shape) -> Op | None:
        """An image or a volume is flattened first, in `c h w` order."""
        if inputs[0].kind not in ("image", "volume"):
            return None
        from netspec.ops.reshape import Flatten  # a family that few dense layers need

        return Flatten()

    def infer(self, *inputs: Shape) -> Shape:
        """`c -> units`, `t c -> t units`, `h w c -> h w units`."""
        (x,) = inputs
        return _mapped(self, x, self.units)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (units, c)`, `bias (units)`."""
        features = inputs[0].axis("c")
        init = Init.fan_in(features)
        weight = Weight("weight", (self.units, features), init).starting(self.init)
        bias = Weight("bias", (self.units,), init).starting(self.bias_init)
        return (weight, bias) if self.bias else (weight,)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per weight and step."""
        return output.elements * inputs[0].axis("c")


@register
class Tied(Op):
    """The transposed map of a shared layer's weight, without a bias: `tied tok` gives scores for what `tok` embeds.

    Inan and others, Tying Word Vectors and Word Classifiers (2017); Press and Wolf, Using the Output
    Embedding to Improve Language Models (2017). In the language its one argument is the shared layer,
    and stands for the fields. The layer's bias has no part in it.
    """

    kind = "tied"
    accepts = ("vector", "sequence", "tensor")
    borrows = True
    positionwise = True
    examples = (
        Example("{ share code = dense 5; code -> relu -> tied code }", ((7,),), (7,)),
        Example(
            "{ share code = dense 5 bias=false; code -> tanh -> tied code }", ((4, 7),), (4, 7)
        ),
        Example(
            "windows 2 -> { share code = dense 5; code -> tied code }", ((3, 4, 2),), (2, 4, 3)
        ),
    )

    features: Annotated[Count, Field(description="output features: what the shared layer takes")]
    rows: Annotated[
        Literal["outputs", "inputs"],
        Field(description="which features of this op the rows of the weight stand for"),
    ]

    def infer(self, *inputs: Shape) -> Shape:
        """`c -> features`, `t c -> t features`, `h w c -> h w features`."""
        (x,) = inputs
        return _mapped(self, x, self.features)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The `weight` of the shared layer: `(features, c)`, or `(c, features)` for `rows=inputs`."""
        features = inputs[0].axis("c")
        outputs_first = self.rows == "outputs"
        shape = (self.features, features) if outputs_first else (features, self.features)
        return (Weight("weight", shape, Init.fan_in(features)),)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per weight and step."""
        return output.elements * inputs[0].axis("c")
