"""What attention knows of how far apart two steps are."""

from typing import Annotated, ClassVar

from pydantic import Field

from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import Count, Initial
from netspec.shape import Shape

_FARTHEST = 100_000
_ROUNDING = 1e-9
"""A distance that is the limit of a bucket is not below it by rounding."""


@register
class RelativeBias(Op):
    """What T5 adds to the scores of attention (Raffel et al., 2020): a `mask` for `sdpa` and `attention`.

    A learned number for each head and each bucket of ways from query to key, as axes `n t s` (heads, queries,
    keys). Half of the buckets are for later keys, or none where it is `causal`. Of each half, the first half has
    a bucket for each distance, the others grow by a constant factor up to `distance`; all that is farther is in the
    last one. The current tensor is the sequence, which gives its length alone. It hides no step: in a decoder
    `attention` is `causal=true` besides.
    """

    kind = "relative_bias"
    accepts = ("sequence",)
    batchless = True
    examples: ClassVar = (
        Example("relative_bias 3 buckets=8 distance=6", ((9, 4),), (3, 9, 9)),
        Example("relative_bias 2 buckets=5 distance=7 causal=true", ((9, 4),), (2, 9, 9)),
        Example("relative_bias 1 init=normal(0.5)", ((3, 2),), (1, 3, 3)),
    )

    heads: Annotated[Count, Field(description="heads of the attention")]
    buckets: Annotated[
        Count, Field(ge=2, le=_FARTHEST, description="how many ways are told apart")
    ] = 32
    distance: Annotated[
        Count, Field(le=_FARTHEST, description="steps from which on all are in the last bucket")
    ] = 128
    causal: Annotated[bool, Field(description="whether all buckets are for earlier keys")] = False
    init: Initial = None

    @property
    def sides(self) -> tuple[int, int]:
        """How many buckets one side has, and how many of them hold one distance each."""
        count = self.buckets if self.causal else self.buckets // 2
        return count, count // 2

    def infer(self, *inputs: Shape) -> Shape:
        """`n t s`."""
        (x,) = inputs
        if x.axes != "tc":
            raise Rejected("wrong-rank", f"`{self.kind}` takes a sequence `t c`, not {x}")
        count, near = self.sides
        if near < 1 or (not self.causal and self.buckets % 2):
            raise Rejected(
                "bad-argument",
                f"{self.buckets} buckets have no two equal sides of at least 2",
                param="buckets",
                help="choose an even number from 4 on",
            )
        if self.distance <= near:
            raise Rejected(
                "bad-argument",
                f"of {count} buckets on a side {near} hold one distance each, so the last cannot "
                f"begin at {self.distance}",
                param="distance",
                help=f"choose more than {near}",
            )
        return Shape(axes="nts", sizes=(self.heads, x.axis("t"), x.axis("t")))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (buckets, heads)`, which starts normal."""
        del inputs
        return (Weight("weight", (self.buckets, self.heads), Init.normal(1)).starting(self.init),)

    @property
    def table(self) -> tuple[int, ...]:
        """The bucket of each way, key less query, from `-distance` to `distance`."""
        count, near = self.sides
        steps = range(1, count - near)
        limits: list[float] = [
            near * (self.distance / near) ** (step / (count - near)) for step in steps
        ]

        def bucket(way: int) -> int:
            far = max(-way, 0) if self.causal else abs(way)
            later = 0 if self.causal or way <= 0 else count
            if far < near:
                return later + far
            return later + near + sum(far >= limit - _ROUNDING for limit in limits)

        return tuple(map(bucket, range(-self.distance, self.distance + 1)))
