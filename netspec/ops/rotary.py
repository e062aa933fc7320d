"""Positions as turns of pairs of features."""

from typing import Annotated, Self

from pydantic import Field

from netspec.dim import Dim, below
from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import Count, Number
from netspec.shape import Shape


def turns(length: int, features: int, base: float) -> list[list[float]]:
    """The angles in radians by which each position turns its pairs, of which there are `features / 2`."""
    half = features // 2
    rates = [base ** (-pair / half) for pair in range(half)]
    return [[position * rate for rate in rates] for position in range(length)]


@register
class Rotary(Op):
    """Turns the features of each head in pairs by the step's position (Su et al., 2021): queries and keys for `sdpa`.

    Pair `i` is feature `i` of the first half of a head and feature `i` of the second, as in Hugging Face's Llama,
    and position `p`, counted from 0, turns it by `p * base**(-2i / features)`. Cosines and sines are computed in
    float64 and rounded to float32. `attention rotary=true` has the same turns within.
    """

    kind = "rotary"
    accepts = ("sequence",)
    examples = (
        Example("rotary", ((5, 6),), (5, 6)),
        Example("rotary 2 base=100", ((5, 8),), (5, 8)),
        Example("rotary 2 features=2", ((4, 10),), (4, 10)),
        Example("rotary 1 length=9", ((4, 4),), (4, 4)),
    )

    heads: Annotated[Count, Field(description="heads that the features are split among")] = 1
    base: Annotated[
        Number, Field(gt=1, description="the slowest turn takes about this many times 2 pi")
    ] = 10000.0
    features: Annotated[
        Count | None,
        Field(description="how many features of each head turn, its first; all if not given"),
    ] = None
    length: Annotated[
        Count | None,
        Field(description="the longest sequence, where its size is known only at run time"),
    ] = None

    def settle(self, *inputs: Shape) -> Self:
        """The features that turn and the length as numbers, where they are known."""
        (x,) = inputs
        if x.axes != "tc":
            return self
        steps = x.axis("t")
        known = None if isinstance(steps, Dim) else steps
        length = known if self.length is None else self.length
        features = x.axis("c") // self.heads if self.features is None else self.features
        return self.model_copy(update={"features": features, "length": length})

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        (x,) = inputs
        if x.axes != "tc":
            raise Rejected("wrong-rank", f"`{self.kind}` takes a sequence `t c`, not {x}")
        width = x.axis("c")
        if width % self.heads:
            raise Rejected(
                "indivisible-heads",
                f"{width} features cannot be split into {self.heads} heads",
                param="heads",
                help="choose `heads` so that it divides the features",
            )
        head, turned = width // self.heads, self.turned
        if turned % 2 or below(head, turned):
            raise Rejected(
                "indivisible-heads",
                f"`rotary` turns pairs: of the {head} features of a head not {turned}",
                param="heads" if turned == head else "features",
                help="choose an even number, at most as many as a head has",
            )
        if self.length is None:
            raise Rejected(
                "unknown-size",
                f"`{self.kind}` needs to know the longest sequence, and {x.axis('t')} is known only at run time",
                help="write `length=4096` for sequences of up to 4096 steps",
            )
        if below(self.length, x.axis("t")):
            raise Rejected(
                "too-long",
                f"`rotary` is for {self.length} steps, and the sequence has {x.axis('t')}",
                param="length",
            )
        return x

    @property
    def turned(self) -> int:
        """How many features of a head turn, of a settled op."""
        assert self.features is not None
        return self.features

    @property
    def angles(self) -> list[list[float]]:
        """What each position turns each pair by, in radians; of a settled op."""
        assert self.length is not None
        return turns(self.length, self.turned, self.base)
