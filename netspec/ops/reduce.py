"""Reductions over named axes. None has weights.

They are called `reduce_mean` and not `mean`, for `mean { a | b }` combines branches: were the braces all that
tells the two apart, leaving them out would give another network rather than a mistake.
"""

from typing import Annotated, Self

from pydantic import Field

from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import Letters, in_order
from netspec.shape import Shape


class _Reduction(Op):
    """Works over some axes, which go away unless they are kept with size 1."""

    variadic = "axes"
    layout = "any"

    axes: Annotated[
        Letters, Field(min_length=1, description="the letters of the axes: `h w`, or `axes=c`")
    ]
    keep: Annotated[bool, Field(description="whether the axes stay, with size 1")] = False

    def settle(self, *inputs: Shape) -> Self:
        """The axes in the input's order."""
        return self.model_copy(update={"axes": in_order(inputs[0], self.axes)})

    def infer(self, *inputs: Shape) -> Shape:
        """`c h w -> c` over `h w`, or `c h w -> c 1 1`."""
        (x,) = inputs
        sizes = dict(zip(x.axes, x.sizes, strict=True))
        if self.keep:
            return x.with_sizes(*(1 if axis in self.axes else sizes[axis] for axis in x.axes))
        left = "".join(axis for axis in x.axes if axis not in self.axes)
        if not left:
            raise Rejected(
                "no-axis-left",
                f"`{self.kind}` over {' and '.join(f'`{axis}`' for axis in self.axes)} leaves no axis of {x}",
                param="axes",
                help="`keep=true` leaves them with size 1",
            )
        return Shape.made(left, tuple(sizes[axis] for axis in left))


def _examples(kind: str) -> tuple[Example, ...]:
    return (
        Example(f"{kind} h w", ((3, 4, 5),), (3,)),
        Example(f"{kind} c keep=true", ((3, 4, 5),), (1, 4, 5)),
        Example(f"{kind} t", ((4, 5),), (5,)),
    )


class _Gathering(_Reduction):
    """What gives back a single element."""

    def is_identity(self, *inputs: Shape) -> bool:
        """Over axes of size 1 that stay."""
        return self.infer(*inputs) == inputs[0]


@register
class ReduceSum(_Gathering):
    """The sum."""

    kind = "reduce_sum"
    examples = _examples("reduce_sum")


@register
class ReduceMean(_Gathering):
    """The mean."""

    kind = "reduce_mean"
    examples = (
        *_examples("reduce_mean"),
        Example("reduce_mean h", ((3, 4, 5),), (3, 5)),
        Example("reduce_mean h", ((2, 3, 4, 5),), (2, 3, 5)),
        Example("reduce_mean d", ((2, 3, 4, 5),), (2, 4, 5)),
        Example("reduce_mean c", ((4, 5),), (4,)),
        Example('reduce_mean axes="w h" keep=true', ((3, 4, 5),), (3, 1, 1)),
    )


@register
class ReduceMax(_Gathering):
    """The largest element; where several are, they share its derivative."""

    kind = "reduce_max"
    examples = _examples("reduce_max")


@register
class ReduceMin(_Gathering):
    """The least element; where several are, they share its derivative."""

    kind = "reduce_min"
    examples = _examples("reduce_min")


@register
class ReduceProduct(_Gathering):
    """The product."""

    kind = "reduce_prod"
    examples = _examples("reduce_prod")


@register
class ReduceLogSumExp(_Gathering):
    """The logarithm of the sum of exponentials, computed stably."""

    kind = "reduce_logsumexp"
    aliases = ("logsumexp",)
    examples = _examples("reduce_logsumexp")


@register
class ReduceVariance(_Reduction):
    """The mean square of the distance from the mean: the biased variance."""

    kind = "reduce_var"
    examples = _examples("reduce_var")


@register
class ReduceDeviation(_Reduction):
    """The square root of the biased variance. It has no derivative where that is 0."""

    kind = "reduce_std"
    examples = _examples("reduce_std")
