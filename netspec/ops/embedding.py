"""Tokens and their positions as vectors."""

import math
from typing import Annotated

from pydantic import Field

from netspec.dim import below
from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import Count, Initial, Number
from netspec.shape import Shape


@register
class Embed(Op):
    """A learned vector for each token. Its inputs are whole numbers from 0 to below `vocab`.

    Others are no mistake that a compiler can see: PyTorch and ONNX Runtime refuse them at run time, and
    so does Keras on TensorFlow; on JAX they give NaN.
    """

    kind = "embed"
    aliases = ("embedding",)
    accepts = ("sequence",)
    dtypes = ("int",)
    ties = "outputs"
    examples = (
        Example("embed 11 6", ((5,),), (5, 6)),
        Example("embed 3 1 init=normal(0.02)", ((4,),), (4, 1)),
    )

    vocab: Annotated[Count, Field(description="how many tokens there are")]
    dim: Annotated[Count, Field(description="features of each token's vector")]
    init: Initial = None

    @property
    def tokens(self) -> int:
        """The size of the vocabulary."""
        return self.vocab

    def infer(self, *inputs: Shape) -> Shape:
        """`t -> t c`."""
        (x,) = inputs
        if x.axes != "t":
            raise Rejected(
                "wrong-rank",
                f"`embed` takes tokens along one axis, `t`, not {x}",
                help="declare them: `input 128 dtype=int`",
            )
        return Shape.of(*x.sizes, self.dim)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (vocab, dim)`, which starts normal."""
        del inputs
        return (Weight("weight", (self.vocab, self.dim), Init.normal(1)).starting(self.init),)


class _Positional(Op):
    """Adds something to each step of a sequence that depends on where the step is."""

    accepts = ("sequence",)

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        (x,) = inputs
        if x.axes != "tc":
            raise Rejected("wrong-rank", f"`{self.kind}` takes a sequence `t c`, not {x}")
        return x


@register
class Positions(_Positional):
    """A learned vector for each position, added to the sequence."""

    kind = "positions"
    examples = (
        Example("positions 5", ((5, 6),), (5, 6)),
        Example("positions 9 init=normal(0.02)", ((4, 3),), (4, 3)),
        Example("positions 4", ((4, 1),), (4, 1)),
    )

    length: Annotated[Count, Field(description="the longest sequence that there is a vector for")]
    init: Initial = None

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged; the sequence is not longer than there are vectors."""
        x = super().infer(*inputs)
        if below(self.length, x.axis("t")):
            raise Rejected(
                "too-long",
                f"`positions` has {self.length} vectors, and the sequence has {x.axis('t')} steps",
                param="length",
                help=f"write `positions {x.axis('t')}`",
            )
        return x

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (length, c)`, which starts normal."""
        shape = (self.length, inputs[0].axis("c"))
        return (Weight("weight", shape, Init.normal(1)).starting(self.init),)


@register
class Sinusoidal(_Positional):
    """Adds sines and cosines of the position (Vaswani et al., 2017).

    Features `2i` and `2i + 1` of position `p` get the sine and the cosine of `p / base**(2i / c)`, computed
    in float64 and rounded to float32.
    """

    kind = "sinusoidal"
    examples = (
        Example("sinusoidal", ((5, 6),), (5, 6)),
        Example("sinusoidal base=100", ((3, 5),), (3, 5)),
        Example("sinusoidal", ((4, 1),), (4, 1)),
    )

    base: Annotated[Number, Field(gt=1, description="the longest wave is this many times 2 pi")] = (
        10000.0
    )

    def angles(self, x: Shape) -> list[list[float]]:
        """The angle for every position and every second feature."""
        length, features = x.sizes
        rates = [self.base ** (-even / features) for even in range(0, features, 2)]
        return [[position * rate for rate in rates] for position in range(length)]

    def table(self, x: Shape) -> list[float]:
        """What is added, row by row."""
        pairs = [(math.sin(a), math.cos(a)) for row in self.angles(x) for a in row]
        width, features = -(-x.axis("c") // 2), x.axis("c")
        rows = (pairs[i : i + width] for i in range(0, len(pairs), width))
        return [value for row in rows for value in [v for pair in row for v in pair][:features]]
