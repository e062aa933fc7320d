"""Pooling over windows and over whole maps."""

from typing import Annotated, Self

from pydantic import Field

from netspec.dim import Dim
from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import Padding, PerAxis, check_windows, per_axis, settled_pads
from netspec.shape import Shape, same_steps, split_pads, window_extent, window_steps


class _WindowPool(Op):
    """What both window pools share: arguments, how they settle, and the shape rule."""

    accepts = ("sequence", "image", "volume")
    layout = "channels_first"

    kernel: Annotated[PerAxis, Field(description="window size, for all axes or for each")]
    stride: Annotated[
        PerAxis | None, Field(description="step of the window; the kernel if not given")
    ] = None
    padding: Annotated[
        Padding,
        Field(
            description="`valid`, `half`, `same`, `causal`, one number, one per axis, or one per side"
        ),
    ] = (0,)
    ceil: Annotated[bool, Field(description="whether a last, partly filled window counts")] = False

    def settle(self, *inputs: Shape) -> Self:
        """Kernel and stride per axis; padding as numbers, or `same` where they are unknown."""
        (x,) = inputs
        rank = len(x.spatial)
        kernel = per_axis(self.kernel, rank, "kernel")
        stride = kernel if self.stride is None else per_axis(self.stride, rank, "stride")
        dilation = per_axis(self.dilations, rank, "dilation")
        pads = settled_pads(self.padding, x.spatial, kernel, stride, dilation)
        return self.model_copy(update={"kernel": kernel, "stride": stride, "padding": pads})

    def infer(self, *inputs: Shape) -> Shape:
        """`c h w -> c h' w'`, `t c -> t' c`."""
        (x,) = inputs
        assert self.stride is not None
        if self.padding == "same":
            return x.with_map(x.axis("c"), *map(same_steps, x.spatial, self.stride))
        assert isinstance(self.padding, tuple)
        dilation = per_axis(self.dilations, len(self.kernel), "dilation")
        check_windows(self.kind, x, self.kernel, dilation, self.padding)
        for (before, after), extent in zip(split_pads(self.padding), self.extents, strict=True):
            if max(before, after) >= extent:
                raise Rejected(
                    "padding-too-large",
                    f"padding of {max(before, after)} around a window of {extent} gives windows of padding alone",
                    param="padding",
                    help=f"use a padding of {extent - 1} or less",
                )
        sizes = [
            window_steps(
                size + sum(pads) + (ceil_surplus(size, k, s, pads) if self.ceil else 0), k, s
            )
            for size, pads, k, s in zip(
                x.spatial, split_pads(self.padding), self.extents, self.stride, strict=True
            )
        ]
        return x.with_map(x.axis("c"), *sizes)

    def is_identity(self, *inputs: Shape) -> bool:
        """Of windows of one position that step by one."""
        del inputs
        steps = {*self.kernel, *(self.stride or ())}
        return steps == {1} and (self.padding == "same" or not any(self.padding))

    @property
    def dilations(self) -> tuple[int, ...]:
        """The distance between the window's taps, for all axes or for each."""
        return (1,)

    @property
    def extents(self) -> tuple[int, ...]:
        """How many positions the windows of a settled pool span."""
        dilation = per_axis(self.dilations, len(self.kernel), "dilation")
        return tuple(map(window_extent, self.kernel, dilation))


def ceil_surplus(size: int, kernel: int, stride: int, pads: tuple[int, int]) -> int:
    """Positions that `ceil` adds after the padding, by PyTorch's rule: a window must start before the end padding.

    Where the size is unknown there are `stride - 1` of them, in which no window more fits than would
    have begun in front of them; where the rule may forbid the last one, raises `UnknownSize`.
    """
    if isinstance(size, Dim) and pads[1] + stride <= kernel:
        return stride - 1
    padded = size + sum(pads)
    windows = -(-(padded - kernel) // stride) + 1
    if (windows - 1) * stride >= size + pads[0]:
        windows -= 1
    return max((windows - 1) * stride + kernel - padded, 0)


@register
class MaxPool(_WindowPool):
    """The largest element of each window; padding never wins."""

    kind = "pool"
    aliases = ("max_pool", "maxpool")
    examples = (
        Example("pool 2", ((3, 8, 8),), (3, 4, 4)),
        Example("pool 2", ((3, 7, 9),), (3, 3, 4)),
        Example("pool 3 stride=2 padding=1", ((3, 8, 9),), (3, 4, 5)),
        Example("pool 3 stride=2 padding=same", ((3, 8, 9),), (3, 4, 5)),
        Example("pool 2 stride=3 padding=same", ((2, 4, 5),), (2, 2, 2)),
        Example("pool 3 stride=2 ceil=true", ((3, 8, 8),), (3, 4, 4)),
        Example("pool 2 stride=2 padding=1 ceil=true", ((3, 7, 8),), (3, 4, 5)),
        Example("pool 2x3 stride=(1, 2)", ((3, 7, 8),), (3, 6, 3)),
        Example("pool 2", ((2, 4, 6, 5),), (2, 2, 3, 2)),
        Example("pool 3 stride=2 padding=1", ((2, 4, 6, 5),), (2, 2, 3, 3)),
        Example("pool 2", ((7, 3),), (3, 3)),
        Example("pool 3 stride=2 padding=1 ceil=true", ((8, 3),), (5, 3)),
        Example("pool 3 stride=1 padding=causal", ((8, 3),), (8, 3)),
        Example("pool 3 stride=1 padding=2 dilation=2", ((3, 6, 7),), (3, 6, 7)),
        Example("pool 2 stride=2 dilation=(2, 3) ceil=true", ((3, 8, 9),), (3, 4, 4)),
        Example("pool 2 stride=1 padding=causal dilation=3", ((8, 3),), (8, 3)),
        Example("pad 1 -> pool 3 stride=2", ((3, 7, 8),), (3, 4, 4)),
    )

    dilation: Annotated[PerAxis, Field(description="distance between the window's taps")] = (1,)

    def settle(self, *inputs: Shape) -> Self:
        """As for every window pool, and the dilation per axis."""
        dilation = per_axis(self.dilation, len(inputs[0].spatial), "dilation")
        return super().settle(*inputs).model_copy(update={"dilation": dilation})

    @property
    def dilations(self) -> tuple[int, ...]:
        """As the spec gives it."""
        return self.dilation


@register
class AveragePool(_WindowPool):
    """The mean of each window. Padding given as numbers counts as zeros, that of `same` does not count."""

    kind = "avgpool"
    aliases = ("avg_pool", "average_pool")
    examples = (
        Example("avgpool 2", ((3, 8, 8),), (3, 4, 4)),
        Example("avgpool 3 stride=1 padding=1", ((3, 7, 8),), (3, 7, 8)),
        Example("avgpool 3 stride=2 padding=same", ((3, 8, 9),), (3, 4, 5)),
        Example("avgpool 3 stride=2 padding=1 count_padding=false", ((3, 8, 9),), (3, 4, 5)),
        Example("avgpool 3 stride=2 ceil=true", ((3, 8, 8),), (3, 4, 4)),
        Example("avgpool 3 stride=2 padding=1 ceil=true", ((3, 8, 8),), (3, 5, 5)),
        Example("avgpool 3 stride=2 padding=(0, 1, 1, 0) ceil=true", ((2, 5, 6),), (2, 3, 3)),
        Example("avgpool 2", ((2, 4, 6, 5),), (2, 2, 3, 2)),
        Example("avgpool 3 stride=2 padding=1 count_padding=false", ((2, 2, 4, 2),), (2, 1, 2, 1)),
        Example("avgpool 3 stride=2 padding=1 ceil=true", ((2, 2, 4, 2),), (2, 2, 3, 2)),
        Example("avgpool 3 stride=2 padding=1", ((8, 3),), (4, 3)),
        Example("avgpool 3 stride=2 padding=same", ((8, 3),), (4, 3)),
        Example("avgpool 3 stride=2 ceil=true", ((8, 3),), (4, 3)),
    )

    count_padding: Annotated[
        bool | None,
        Field(
            description="whether padding counts in the mean; false for `padding=same`, else true"
        ),
    ] = None

    def settle(self, *inputs: Shape) -> Self:
        """As for every window pool, and whether padding counts."""
        counts = self.padding != "same" if self.count_padding is None else self.count_padding
        settled = super().settle(*inputs)
        return settled.model_copy(update={"count_padding": counts})


@register
class L2Pool(_WindowPool):
    """The root of the sum of squares of each window (PyTorch's `LPPool2d` with a norm type of 2); padding is zeros."""

    kind = "l2pool"
    aliases = ("l2_pool",)
    examples = (
        Example("l2pool 2", ((3, 6, 7),), (3, 3, 3)),
        Example("l2pool 3 stride=2 padding=1", ((3, 7, 8),), (3, 4, 4)),
        Example("l2pool 2x3 stride=(1, 2) ceil=true", ((3, 4, 6),), (3, 3, 3)),
        Example("l2pool 3 stride=2 padding=same", ((8, 3),), (4, 3)),
        Example("l2pool 2", ((2, 4, 4, 5),), (2, 2, 2, 2)),
    )

    def is_identity(self, *inputs: Shape) -> bool:
        """Never: of one element it gives the absolute value."""
        del inputs
        return False


@register
class GlobalAveragePool(Op):
    """The mean of each channel's whole map, as a vector, or as a map of one position."""

    kind = "gap"
    aliases = ("global_avg_pool", "global_average_pool")
    accepts = ("sequence", "image", "volume")
    layout = "any"
    examples = (
        Example("gap", ((3, 4, 5),), (3,)),
        Example("gap", ((3, 4, 5, 2),), (3,)),
        Example("gap", ((4, 3),), (3,)),
        Example("gap keep=true", ((3, 4, 5),), (3, 1, 1)),
        Example("gap keep=true", ((4, 3),), (1, 3)),
        Example("gap keep=true", ((3, 4, 5, 2),), (3, 1, 1, 1)),
    )

    keep: Annotated[bool, Field(description="whether the map stays, with a size of 1")] = False

    def infer(self, *inputs: Shape) -> Shape:
        """`c h w -> c`, `t c -> c`; `c 1 1` and `1 c` with `keep`."""
        return global_shape(inputs[0], self.keep)

    def is_identity(self, *inputs: Shape) -> bool:
        """Of a map of one position that stays."""
        return self.infer(*inputs) == inputs[0]


def global_shape(x: Shape, keep: bool) -> Shape:
    """What a pool over the whole map gives."""
    return x.with_map(x.axis("c"), *(1 for _ in x.spatial)) if keep else Shape.of(x.axis("c"))
