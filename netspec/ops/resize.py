"""Ops that resample the positions of a tensor."""

from __future__ import annotations

from math import floor
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from netspec.dim import below
from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import LARGEST, PerAxis, per_axis
from netspec.shape import Shape

_RANKS = {"bilinear": 2, "trilinear": 3, "cubic": 2, "bicubic": 2}
_FORMS = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}


Mode = Annotated[
    Literal["nearest", "linear", "bilinear", "trilinear", "cubic", "bicubic"],
    Field(
        description="`nearest` (the old position floor(i * old / new)), `linear` along each axis, or `cubic`"
    ),
]
Corners = Annotated[
    Literal["half", "align"],
    Field(
        description="whether the outer edges of the first and last positions coincide (`half`), or their centres"
    ),
]


class _Resample(Op):
    """What both share: how a new position is made of the old ones."""

    accepts = ("sequence", "image", "volume")
    layout = "channels_first"

    def targets(self, x: Shape) -> tuple[int, ...]:
        """The new size of each spatial axis, for a settled op."""
        raise NotImplementedError

    def infer(self, *inputs: Shape) -> Shape:
        """The same channels at other positions."""
        (x,) = inputs
        sizes = self.targets(x)
        if any(below(size, 1) for size in sizes):
            raise Rejected(
                "bad-sizes", f"no positions are left of {' x '.join(map(str, x.spatial))}"
            )
        return x.with_map(x.axis("c"), *sizes)


def _one_name(mode: str, corners: str, rank: int) -> dict[str, str]:
    """`linear` for `bilinear` and `trilinear`, `cubic` for `bicubic`; corners are one for `nearest`."""
    if _RANKS.get(mode, rank) != rank:
        raise Rejected(
            "wrong-rank",
            f"`mode={mode}` is for {_RANKS[mode]} spatial axes, and the input has {rank}",
            param="mode",
            help="`mode=linear` resamples any number of axes",
        )
    mode = _FORMS.get(mode, mode)
    return {"mode": mode, "corners": "half" if mode == "nearest" else corners}


def _factors(value: Any) -> Any:
    """One number stands for a tuple of one; a JSON array reaches a validator as a list."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, int | float) and not isinstance(value, bool) else value


@register
class Upsample(_Resample):
    """A map `factor` times as large (or small): floor(n * factor) positions, resampled as PyTorch does."""

    kind = "upsample"
    examples = (
        Example("upsample 2", ((3, 4, 5),), (3, 8, 10)),
        Example("upsample 3", ((4, 5),), (12, 5)),
        Example("upsample (2, 1, 3)", ((2, 2, 3, 2),), (2, 4, 3, 6)),
        Example("upsample 2 mode=bilinear", ((3, 4, 5),), (3, 8, 10)),
        Example("upsample 2 linear corners=align", ((4, 5),), (8, 5)),
        Example("upsample 2 trilinear", ((2, 2, 3, 2),), (2, 4, 6, 4)),
        Example("upsample 1.5", ((2, 5, 4),), (2, 7, 6)),
        Example("upsample 0.5 bilinear", ((2, 5, 4),), (2, 2, 2)),
        Example("upsample 2 bicubic", ((2, 3, 4),), (2, 6, 8)),
    )

    factor: Annotated[
        tuple[Annotated[int | float, Field(gt=0, le=LARGEST)], ...],
        BeforeValidator(_factors),
        Field(min_length=1, max_length=3, description="how many times as many positions"),
    ]
    mode: Mode = "nearest"
    corners: Corners = "half"

    def settle(self, *inputs: Shape) -> Self:
        """A factor for each axis; the mode by one name for any number of axes."""
        (x,) = inputs
        rank = len(x.spatial)
        factor = self.factor * rank if len(self.factor) == 1 else self.factor
        if len(factor) != rank:
            raise Rejected(
                "wrong-rank",
                f"`factor` has {len(factor)} values, but the input has {rank} spatial axes",
                param="factor",
                help=f"give one value, or {rank}",
            )
        whole = tuple(int(f) if float(f).is_integer() else f for f in factor)
        return self.model_copy(
            update={"factor": whole, **_one_name(self.mode, self.corners, len(x.spatial))}
        )

    def is_identity(self, *inputs: Shape) -> bool:
        """By a factor of 1."""
        del inputs
        return set(self.factor) == {1}

    @property
    def whole_factors(self) -> tuple[int, ...] | None:
        """The factors of a settled op, where all of them are whole numbers."""
        whole = tuple(factor for factor in self.factor if isinstance(factor, int))
        return whole if len(whole) == len(self.factor) else None

    def targets(self, x: Shape) -> tuple[int, ...]:
        """floor(n * factor)."""
        return tuple(
            size * factor if isinstance(factor, int) else floor(int(size) * factor)
            for size, factor in zip(x.spatial, self.factor, strict=True)
        )


@register
class Resize(_Resample):
    """A map of given sizes, resampled as PyTorch does, without a filter against aliasing."""

    kind = "resize"
    examples = (
        Example("resize 7", ((2, 5, 4),), (2, 7, 7)),
        Example("resize 3x7 bilinear", ((2, 5, 4),), (2, 3, 7)),
        Example("resize (7, 3) linear corners=align", ((2, 5, 4),), (2, 7, 3)),
        Example("resize 1x9 bilinear corners=align", ((2, 5, 4),), (2, 1, 9)),
        Example("resize 8x5 bicubic", ((2, 5, 4),), (2, 8, 5)),
        Example("resize 7x3 bicubic corners=align", ((2, 5, 4),), (2, 7, 3)),
        Example("resize 7 linear", ((4, 3),), (7, 3)),
        Example("resize (3, 2, 5) trilinear", ((2, 2, 3, 2),), (2, 3, 2, 5)),
    )

    size: Annotated[PerAxis, Field(description="new sizes, one for all axes or one for each")]
    mode: Mode = "nearest"
    corners: Corners = "half"

    def settle(self, *inputs: Shape) -> Self:
        """A size for each axis; the mode by one name for any number of axes."""
        (x,) = inputs
        size = per_axis(self.size, len(x.spatial), "size")
        return self.model_copy(
            update={"size": size, **_one_name(self.mode, self.corners, len(x.spatial))}
        )

    def targets(self, x: Shape) -> tuple[int, ...]:
        """As given."""
        del x
        return self.size

    def is_identity(self, *inputs: Shape) -> bool:
        """To the sizes that there are."""
        return self.size == inputs[0].spatial
