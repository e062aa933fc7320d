"""Ops that put a border around a tensor's positions, or take one away."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from netspec.dim import below
from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import Number, Pads, explicit_pads
from netspec.shape import Shape, split_pads


class _Border(Op):
    """What both share: how many positions, and how they are said."""

    accepts = ("sequence", "image", "volume")
    layout = "channels_first"

    amount: Annotated[
        Pads,
        Field(description="positions: one number, one per axis, or one per side (befores, afters)"),
    ]

    def settle(self, *inputs: Shape) -> Self:
        """A number for each side: all axes' befores, then all afters."""
        (x,) = inputs
        ones = (1,) * len(x.spatial)
        pads = explicit_pads(self.amount, x.spatial, ones, ones, ones)
        return self.model_copy(update={"amount": pads})

    def is_identity(self, *inputs: Shape) -> bool:
        """Of no positions."""
        del inputs
        return not any(self.amount)


@register
class Pad(_Border):
    """A border around the positions: of one value, or of the input mirrored, extended by its ends, or going round."""

    kind = "pad"
    examples = (
        Example("pad 1", ((3, 4, 5),), (3, 6, 7)),
        Example("pad (0, 1, 2, 3)", ((3, 4, 5),), (3, 6, 9)),
        Example("pad (2, 1) value=-1.5", ((4, 5),), (7, 5)),
        Example("pad (1, 2) mode=reflect", ((2, 3, 4),), (2, 5, 8)),
        Example("pad (2, 3) mode=replicate", ((4, 5),), (9, 5)),
        Example("pad (1, 0, 2, 1) mode=circular", ((2, 3, 4),), (2, 6, 5)),
        Example("pad (0, 1, 2, 1, 0, 1) mode=replicate", ((2, 3, 2, 4),), (2, 4, 3, 7)),
    )

    mode: Annotated[
        Literal["constant", "reflect", "replicate", "circular"],
        Field(description="what stands in the border: `constant`, or values of the input"),
    ] = "constant"
    value: Annotated[Number, Field(description="the constant")] = 0.0

    def infer(self, *inputs: Shape) -> Shape:
        """More positions."""
        (x,) = inputs
        pairs = split_pads(self.amount)
        for size, pair in zip(x.spatial, pairs, strict=True):
            most = size - 1 if self.mode == "reflect" else size
            if self.mode in ("reflect", "circular") and below(most, max(pair)):
                raise Rejected(
                    "padding-too-large",
                    f"`mode={self.mode}` finds {most} positions for a padding of {max(pair)}",
                    param="amount",
                    help=f"pad an axis of {size} by {most} or less, or use `mode=replicate`",
                )
        sizes = [size + sum(pair) for size, pair in zip(x.spatial, pairs, strict=True)]
        return x.with_map(x.axis("c"), *sizes)


@register
class Crop(_Border):
    """The positions without a border."""

    kind = "crop"
    examples = (
        Example("crop 1", ((3, 4, 5),), (3, 2, 3)),
        Example("crop (1, 0, 0, 2)", ((3, 4, 5),), (3, 3, 3)),
        Example("crop (0, 2)", ((5, 3),), (3, 3)),
        Example("crop (1, 0, 1)", ((2, 4, 3, 5),), (2, 2, 3, 3)),
    )

    def infer(self, *inputs: Shape) -> Shape:
        """Fewer positions."""
        (x,) = inputs
        pairs = split_pads(self.amount)
        for size, pair in zip(x.spatial, pairs, strict=True):
            if below(size, sum(pair) + 1):
                raise Rejected(
                    "bad-sizes",
                    f"nothing is left of {size} positions without {pair[0]} before and {pair[1]} after",
                    param="amount",
                    help=f"{size} - {pair[0]} - {pair[1]} = {size - sum(pair)}",
                )
        sizes = [size - sum(pair) for size, pair in zip(x.spatial, pairs, strict=True)]
        return x.with_map(x.axis("c"), *sizes)
