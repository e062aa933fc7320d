"""Pools whose windows follow from what they give: bins of a map, and the largest element of a whole one."""

from typing import Annotated, Self

from pydantic import Field

from netspec.ops.base import Example, Op, register
from netspec.ops.fields import PerAxis, per_axis
from netspec.ops.pool import global_shape
from netspec.shape import Shape


def bins(size: int, count: int) -> list[tuple[int, int]]:
    """PyTorch's bins: where each of `count` begins and ends; where `count` does not divide the size, they overlap.

    Raises `UnknownSize` where the size is known only at run time.
    """
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


class _AdaptivePool(Op):
    """What both share: the sizes that they give."""

    accepts = ("sequence", "image", "volume")
    layout = "channels_first"

    sizes: Annotated[PerAxis, Field(description="size of the result, for all axes or for each")]

    def settle(self, *inputs: Shape) -> Self:
        """A size for each axis."""
        return self.model_copy(
            update={"sizes": per_axis(self.sizes, len(inputs[0].spatial), "sizes")}
        )

    def infer(self, *inputs: Shape) -> Shape:
        """`c h w -> c h' w'`, `t c -> t' c`."""
        (x,) = inputs
        return x.with_map(x.axis("c"), *self.sizes)

    def is_identity(self, *inputs: Shape) -> bool:
        """Of as many bins as there are positions."""
        return self.sizes == inputs[0].spatial

    def window(self, x: Shape) -> tuple[int, ...] | None:
        """The window of the usual pool that does the same, which steps by its size; None where there is none.

        Raises `UnknownSize` where that depends on sizes known only at run time.
        """
        pairs = list(zip(x.spatial, self.sizes, strict=True))
        if any(size % count for size, count in pairs):
            return None
        return tuple(size // count for size, count in pairs)


@register
class AdaptiveAveragePool(_AdaptivePool):
    """The mean of each bin of the map, of which there are as many as asked for (PyTorch's `AdaptiveAvgPool2d`).

    Bin `i` of `n` reaches from `floor(i * size / n)` to `ceil((i + 1) * size / n)`.
    """

    kind = "adaptive_avgpool"
    aliases = ("adaptive_avg_pool",)
    examples = (
        Example("adaptive_avgpool 2", ((3, 4, 6),), (3, 2, 2)),
        Example("adaptive_avgpool 3", ((3, 7, 8),), (3, 3, 3)),
        Example("adaptive_avgpool 1x3", ((3, 4, 5),), (3, 1, 3)),
        Example("adaptive_avgpool 1", ((3, 4, 5),), (3, 1, 1)),
        Example("adaptive_avgpool 5", ((2, 3, 4),), (2, 5, 5)),
        Example("adaptive_avgpool 3", ((7, 4),), (3, 4)),
        Example("adaptive_avgpool 2", ((6, 4),), (2, 4)),
        Example("adaptive_avgpool (2, 1, 3)", ((2, 3, 4, 5),), (2, 2, 1, 3)),
    )


@register
class AdaptiveMaxPool(_AdaptivePool):
    """The largest element of each bin of the map (PyTorch's `AdaptiveMaxPool2d`), with `adaptive_avgpool`'s bins."""

    kind = "adaptive_pool"
    aliases = ("adaptive_max_pool", "adaptive_maxpool")
    examples = (
        Example("adaptive_pool 2", ((3, 4, 6),), (3, 2, 2)),
        Example("adaptive_pool 1x3", ((3, 7, 8),), (3, 1, 3)),
        Example("adaptive_pool 1", ((3, 4, 5),), (3, 1, 1)),
        Example("adaptive_pool 3", ((7, 4),), (3, 4)),
        Example("adaptive_pool (2, 1, 3)", ((2, 3, 4, 5),), (2, 2, 1, 3)),
    )


@register
class GlobalMaxPool(Op):
    """The largest element of each channel's whole map, as a vector; equal ones share its gradient."""

    kind = "gmp"
    aliases = ("global_max_pool",)
    accepts = ("sequence", "image", "volume")
    layout = "any"
    examples = (
        Example("gmp", ((3, 4, 5),), (3,)),
        Example("gmp", ((3, 4, 5, 2),), (3,)),
        Example("gmp", ((4, 3),), (3,)),
        Example("gmp keep=true", ((3, 4, 5),), (3, 1, 1)),
        Example("gmp keep=true", ((4, 3),), (1, 3)),
    )

    keep: Annotated[bool, Field(description="whether the map stays, with a size of 1")] = False

    def infer(self, *inputs: Shape) -> Shape:
        """`c h w -> c`, `t c -> c`; `c 1 1` and `1 c` with `keep`."""
        return global_shape(inputs[0], self.keep)

    def is_identity(self, *inputs: Shape) -> bool:
        """Of a map of one position that stays."""
        return self.infer(*inputs) == inputs[0]
