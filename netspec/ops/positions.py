"""Ops that trade positions of an image for steps of a sequence, for windows, or for channels."""

from __future__ import annotations

from math import isqrt, prod
from typing import Annotated, Self

from pydantic import Field

from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import Count, PerAxis, per_axis, place_of
from netspec.ops.grouping import Group, Grouping
from netspec.ops.reshape import Regroup, alone, named_sizes
from netspec.shape import AXES_BY_RANK, Shape


@register
class Tokens(Regroup):
    """An image or a volume as a sequence: its positions row by row, each with its channels."""

    kind = "tokens"
    accepts = ("image", "volume")
    examples = (
        Example("tokens", ((3, 4, 5),), (20, 3)),
        Example("tokens", ((3, 2, 4, 3),), (24, 3)),
    )

    def axes(self, x: Shape) -> str:
        """`t c`."""
        del x
        return "tc"

    def grouping(self, x: Shape) -> Grouping:
        """`c h w -> (h w) c`."""
        return Grouping(alone(x.axes), (tuple(x.axes[1:]), ("c",)), named_sizes(x))


@register
class Untokens(Regroup):
    """A sequence as an image or a volume: the inverse of `tokens`."""

    kind = "untokens"
    accepts = ("sequence",)
    dtypes = ("float",)
    variadic = "sizes"
    examples = (
        Example("untokens 4 5", ((20, 3),), (3, 4, 5)),
        Example("untokens", ((9, 2),), (2, 3, 3)),
        Example("untokens 2 2 3", ((12, 4),), (4, 2, 2, 3)),
    )

    sizes: Annotated[
        tuple[Count, ...],
        Field(description="height and width, or depth, height and width; a square if not given"),
    ] = ()

    def settle(self, *inputs: Shape) -> Self:
        """The sizes of a square written out."""
        side = isqrt(inputs[0].axis("t"))
        return self.model_copy(update={"sizes": self.sizes or (side, side)})

    def axes(self, x: Shape) -> str:
        """`c h w` or `c d h w`."""
        if len(self.sizes) not in (2, 3):
            raise Rejected(
                "wrong-rank",
                f"`untokens` takes 2 or 3 sizes, got {len(self.sizes)}",
                param="sizes",
                help="write `untokens 14 14`",
            )
        if prod(self.sizes) != x.axis("t"):
            words = " x ".join(map(str, self.sizes))
            raise Rejected(
                "bad-sizes",
                f"{x.axis('t')} tokens are no {words} positions",
                param="sizes",
                help=f"{words} is {prod(self.sizes)}; `take` or `slice` leave a class token out",
            )
        return AXES_BY_RANK[len(self.sizes) + 1]

    def grouping(self, x: Shape) -> Grouping:
        """`(h w) c -> c h w`."""
        axes = self.axes(x)
        sizes = dict(zip(axes, (x.axis("c"), *self.sizes), strict=True))
        return Grouping((tuple(axes[1:]), ("c",)), alone(axes), sizes)


@register
class Windows(Regroup):
    """An image cut into windows that do not overlap, each a sequence: axes `n t c`, row by row (Swin, 2021)."""

    kind = "windows"
    accepts = ("image", "tensor")
    examples = (
        Example("windows 2", ((3, 4, 6),), (6, 4, 3)),
        Example("windows 2x3", ((3, 4, 6),), (4, 6, 3)),
    )

    size: Annotated[PerAxis, Field(description="height and width of a window")]

    def settle(self, *inputs: Shape) -> Self:
        """Both sizes."""
        del inputs
        return self.model_copy(update={"size": per_axis(self.size, 2, "size")})

    def axes(self, x: Shape) -> str:
        """`n t c`."""
        _check_axes(self, x, "chw", "hwc")
        return "ntc"

    def grouping(self, x: Shape) -> Grouping:
        """`c (y p) (x q) -> (y x) (p q) c`."""
        self.axes(x)
        (p, q), h, w = self.size, x.axis("h"), x.axis("w")
        if h % p or w % q:
            raise Rejected(
                "bad-sizes",
                f"windows of {p} x {q} do not fill {h} x {w}",
                param="size",
                help=f"`pad` it first: {-h % p} more rows and {-w % q} more columns",
            )
        sizes = {"c": x.axis("c"), "y": h // p, "p": p, "x": w // q, "q": q}
        groups: dict[str, Group] = {"c": ("c",), "h": ("y", "p"), "w": ("x", "q")}
        left = tuple(groups[letter] for letter in x.axes)
        return Grouping(left, (("y", "x"), ("p", "q"), ("c",)), sizes)


@register
class Unwindows(Regroup):
    """Windows put together again: the inverse of `windows`."""

    kind = "unwindows"
    accepts = ("tensor",)
    examples = (
        Example("windows 2 -> unwindows 4 6", ((3, 4, 6),), (3, 4, 6)),
        Example("windows 1x3 -> unwindows 4 6 1x3 channels_last=true", ((3, 4, 6),), (4, 6, 3)),
    )

    height: Annotated[Count, Field(description="height of the whole")]
    width: Annotated[Count, Field(description="width of the whole")]
    size: Annotated[
        PerAxis | None, Field(description="height and width of a window; a square if not given")
    ] = None
    channels_last: Annotated[
        bool, Field(description="whether the result has the axes `h w c`, not `c h w`")
    ] = False

    def settle(self, *inputs: Shape) -> Self:
        """Both sizes of a window."""
        (x,) = inputs
        _check_axes(self, x, "ntc")
        size = (isqrt(x.axis("t")),) if self.size is None else self.size
        return self.model_copy(update={"size": per_axis(size, 2, "size")})

    def axes(self, x: Shape) -> str:
        """`c h w`, or `h w c`."""
        _check_axes(self, x, "ntc")
        return "hwc" if self.channels_last else "chw"

    def grouping(self, x: Shape) -> Grouping:
        """`(y x) (p q) c -> c (y p) (x q)`."""
        assert self.size is not None
        (p, q), n, t = self.size, x.axis("n"), x.axis("t")
        whole = self.height * self.width
        if p * q != t or n * t != whole or self.height % p or self.width % q:
            raise Rejected(
                "bad-sizes",
                f"{n} windows of {p} x {q} are no {self.height} x {self.width}",
                param="height",
                help=f"{n} windows of {t} elements hold {n * t}, {self.height} x {self.width} is {whole}",
            )
        sizes = {"c": x.axis("c"), "y": self.height // p, "p": p, "x": self.width // q, "q": q}
        groups: dict[str, Group] = {"c": ("c",), "h": ("y", "p"), "w": ("x", "q")}
        right = tuple(groups[letter] for letter in self.axes(x))
        return Grouping((("y", "x"), ("p", "q"), ("c",)), right, sizes)


def _check_axes(op: Op, x: Shape, *wanted: str) -> None:
    if x.axes not in wanted:
        words = " or ".join(f"`{' '.join(axes)}`" for axes in wanted)
        raise Rejected(
            "wrong-kind", f"`{op.kind}` takes the axes {words}, not `{' '.join(x.axes)}` of {x}"
        )


@register
class Shuffle(Regroup):
    """Channels of all groups in turn (ShuffleNet, Zhang et al., 2018)."""

    kind = "shuffle"
    aliases = ("channel_shuffle",)
    examples = (
        Example("shuffle 2", ((6, 4, 5),), (6, 4, 5)),
        Example("shuffle 3", ((6,),), (6,)),
        Example("shuffle 2", ((4, 6),), (4, 6)),
        Example("shuffle 2", ((4, 2, 3, 2),), (4, 2, 3, 2)),
    )

    groups: Annotated[Count, Field(description="groups that the channels stand in")]

    def axes(self, x: Shape) -> str:
        """Unchanged."""
        return x.axes

    def grouping(self, x: Shape) -> Grouping:
        """`(g k) h w -> (k g) h w`."""
        channels = x.sizes[place_of(x, "c")]
        if channels % self.groups:
            raise Rejected(
                "uneven-split",
                f"{channels} channels do not part into {self.groups} groups",
                param="groups",
                help=f"{channels} / {self.groups} is no whole number",
            )
        sizes = {**named_sizes(x), "group": self.groups, "member": channels // self.groups}
        before: dict[str, Group] = {"c": ("group", "member")}
        after: dict[str, Group] = {"c": ("member", "group")}
        left, right = (
            tuple(groups.get(letter, (letter,)) for letter in x.axes) for groups in (before, after)
        )
        return Grouping(left, right, sizes)


class _PixelShuffle(Regroup):
    """Trades channels for positions, `factor` along each spatial axis."""

    accepts = ("image", "volume")

    factor: Annotated[Count, Field(description="how many positions one becomes, along each axis")]

    def axes(self, x: Shape) -> str:
        """Unchanged."""
        return x.axes

    def _grouping(self, x: Shape, channels: int, spatial: tuple[int, ...]) -> Grouping:
        """From few positions to many: `(c p q) h w -> c (h p) (w q)`."""
        axes = x.axes[1:]
        inner = tuple(f"{letter}.inner" for letter in axes)
        sizes = {"c": channels, **dict(zip(axes, spatial, strict=True))}
        sizes |= dict.fromkeys(inner, self.factor)
        few = (("c", *inner), *alone(axes))
        many = (("c",), *zip(axes, inner, strict=True))
        return Grouping(few, many, sizes)


@register
class PixelShuffle(_PixelShuffle):
    """Channels become positions: an image `factor` times as large (Shi et al., 2016), as in PyTorch."""

    kind = "pixel_shuffle"
    examples = (
        Example("pixel_shuffle 2", ((8, 3, 4),), (2, 6, 8)),
        Example("pixel_shuffle 3", ((9, 2, 1),), (1, 6, 3)),
        Example("pixel_shuffle 2", ((16, 2, 1, 3),), (2, 4, 2, 6)),
    )

    def grouping(self, x: Shape) -> Grouping:
        """`(c p q) h w -> c (h p) (w q)`."""
        parts, channels = self.factor ** len(x.spatial), x.axis("c")
        if channels % parts:
            raise Rejected(
                "uneven-split",
                f"{channels} channels are no multiple of {parts}",
                param="factor",
                help=f"a factor of {self.factor} takes {self.factor}**{len(x.spatial)} channels for each that is left",
            )
        return self._grouping(x, channels // parts, x.spatial)


@register
class PixelUnshuffle(_PixelShuffle):
    """Positions become channels: the inverse of `pixel_shuffle`."""

    kind = "pixel_unshuffle"
    examples = (
        Example("pixel_unshuffle 2", ((2, 6, 4),), (8, 3, 2)),
        Example("pixel_unshuffle 2", ((2, 4, 2, 6),), (16, 2, 1, 3)),
    )

    def grouping(self, x: Shape) -> Grouping:
        """`c (h p) (w q) -> (c p q) h w`."""
        if any(size % self.factor for size in x.spatial):
            raise Rejected(
                "uneven-split",
                f"{' x '.join(map(str, x.spatial))} positions do not part into {self.factor} along each axis",
                param="factor",
            )
        spatial = tuple(size // self.factor for size in x.spatial)
        few, many, sizes = self._grouping(x, x.axis("c"), spatial)
        return Grouping(many, few, sizes)
