"""Ops that give a tensor other axes and keep all its elements."""

from __future__ import annotations

from math import prod
from operator import index
from typing import Annotated, ClassVar, Self

from pydantic import Field

from netspec.dim import Dim, Size, below
from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import Letters, NamedSizes, place_of, with_axis
from netspec.ops.grouping import Group, Grouping, letters, parse_pattern, solve
from netspec.shape import AXES_BY_RANK, DType, Shape


class Regroup(Op):
    """Takes axes apart, reorders them and joins them, as `grouping` says."""

    dtypes: ClassVar[tuple[DType, ...]] = ("float", "int")

    def grouping(self, x: Shape) -> Grouping:
        """What becomes of the axes, for a settled op; raises `Rejected` where it cannot be."""
        raise NotImplementedError

    def axes(self, x: Shape) -> str:
        """The letters of the result's axes."""
        raise NotImplementedError

    def infer(self, *inputs: Shape) -> Shape:
        """The sizes of the grouping's right side."""
        (x,) = inputs
        return Shape.made(self.axes(x), self.grouping(x).result, x.dtype)

    def is_identity(self, *inputs: Shape) -> bool:
        """Where the axes stay, and every element where it is."""
        (x,) = inputs
        return self.infer(x) == x and not any(self.grouping(x).moves())


def alone(axes: str) -> tuple[Group, ...]:
    """A group for each axis."""
    return tuple((letter,) for letter in axes)


def named_sizes(x: Shape) -> dict[str, int]:
    """The size of each axis by its letter."""
    return dict(zip(x.axes, x.sizes, strict=True))


@register
class Flatten(Op):
    """All axes as one vector, in the order of the shape: `c h w` whatever the target's own layout."""

    kind = "flatten"
    examples = (
        Example("flatten", ((3, 4, 5),), (60,)),
        Example("flatten", ((6, 1, 1),), (6,)),
        Example("flatten", ((2, 3, 4, 2),), (48,)),
        Example("flatten", ((4, 5),), (20,)),
    )

    def infer(self, *inputs: Shape) -> Shape:
        """Everything -> `c`."""
        return Shape.of(inputs[0].elements)

    def is_identity(self, *inputs: Shape) -> bool:
        """Where the axes stay."""
        return self.infer(*inputs) == inputs[0]


@register
class Reshape(Op):
    """The same elements in axes of other sizes, in the order of the shape whatever the target's own layout.

    Sizes alone make the usual axes of their number, as for `input`; names choose others. One size may be -1.
    """

    kind = "reshape"
    variadic = "sizes"
    named_axes = True
    dtypes = ("float", "int")
    examples = (
        Example("reshape 4 3 2", ((24,),), (4, 3, 2)),
        Example("reshape 6 -1", ((3, 4, 5),), (6, 10)),
        Example("reshape -1 2 1", ((3, 4, 5),), (30, 2, 1)),
        Example("reshape h=2 w=3 c=4", ((4, 2, 3),), (2, 3, 4)),
        Example("reshape 2 3 2 4", ((4, 6, 2),), (2, 3, 2, 4)),
        Example("reshape c=-1 n=2", ((3, 4),), (6, 2)),
    )

    sizes: Annotated[
        tuple[Size, ...], Field(min_length=1, description="the new sizes, -1 for what is left")
    ]
    axes: Annotated[
        str | None,
        Field(
            description="the letters of the new axes; the usual ones of their number if not given"
        ),
    ] = None

    def settle(self, *inputs: Shape) -> Self:
        """Every axis with its letter and its size."""
        (x,) = inputs
        axes = AXES_BY_RANK.get(len(self.sizes)) if self.axes is None else self.axes
        if axes is None:
            raise Rejected(
                "wrong-rank",
                f"{len(self.sizes)} axes have no usual letters",
                param="sizes",
                help="name them: `reshape n=2 t=4 c=8`",
            )
        if len(axes) != len(self.sizes) or len(set(axes)) != len(axes) or not axes.isalpha():
            words = f"the axes `{' '.join(axes)}` are no names of {len(self.sizes)} sizes"
            raise Rejected("wrong-rank", words, param="axes")
        return self.model_copy(update={"sizes": self._solved(x), "axes": axes})

    def _solved(self, x: Shape) -> tuple[int, ...]:
        rest = prod(size for size in self.sizes if size != -1)
        words = " x ".join(str(size) if size != -1 else "?" for size in self.sizes)
        if self.sizes.count(-1) > 1:
            raise Rejected("bad-sizes", "only one size may be -1", param="sizes")
        if any(below(size, 1) and size != -1 for size in self.sizes):
            raise Rejected("bad-sizes", f"{words} is no shape", param="sizes")
        if x.elements % rest or (rest != x.elements and -1 not in self.sizes):
            raise Rejected(
                "bad-sizes",
                f"{x} has {x.elements} elements, which {words} cannot hold",
                param="sizes",
                help=f"{words} holds {rest}"
                if -1 not in self.sizes
                else f"{x.elements}/{rest} is no whole number",
            )
        return tuple(x.elements // rest if size == -1 else size for size in self.sizes)

    def infer(self, *inputs: Shape) -> Shape:
        """The new axes."""
        assert self.axes is not None
        return Shape.made(self.axes, self.sizes, inputs[0].dtype)

    def is_identity(self, *inputs: Shape) -> bool:
        """Where the axes stay."""
        return self.infer(*inputs) == inputs[0]


@register
class Rearrange(Regroup):
    """Axes split, reordered and joined by an einops pattern without the batch axis (Rogozhnikov, 2022).

    The sizes of split axes are given by name where they cannot be told: `rearrange "c (h p) w -> (c p) h w" p=2`.
    """

    kind = "rearrange"
    naming = "sizes"
    examples = (
        Example('rearrange "c h w -> (h w) c"', ((3, 4, 5),), (20, 3)),
        Example('rearrange "c (h p) (w q) -> (h w) (p q c)" p=2 q=3', ((3, 4, 6),), (4, 18)),
        Example('rearrange "c (y p) (x q) -> (y x) (p q) c" p=2 q=2', ((3, 4, 6),), (6, 4, 3)),
        Example('rearrange "(h w) (p q c) -> c (h p) (w q)" h=3 p=2 q=1', ((6, 8),), (4, 6, 2)),
        Example('rearrange "t (n d) -> n t d" n=2', ((3, 8),), (2, 3, 4)),
        Example('rearrange "c 1 w -> w 1 1 c"', ((3, 1, 4),), (4, 1, 1, 3)),
    )

    pattern: Annotated[str, Field(description='both sides of it, as in `"c h w -> (h w) c"`')]
    sizes: Annotated[NamedSizes, Field(description="sizes of the pattern's axes: `p=2`")] = ()

    def settle(self, *inputs: Shape) -> Self:
        """Every size that the pattern names, by name; those known only at run time follow from the others."""
        (x,) = inputs
        grouping = solve(x, self.pattern, dict(self.sizes))
        sizes = tuple(
            (name, grouping.sizes[name])
            for group in grouping.left
            for name in group
            if name[0] != "1" and not isinstance(grouping.sizes[name], Dim)
        )
        return self.model_copy(update={"sizes": sizes})

    def grouping(self, x: Shape) -> Grouping:
        """What the pattern says."""
        return solve(x, self.pattern, dict(self.sizes))

    def axes(self, x: Shape) -> str:
        """Of the names of one letter, and what is usual."""
        del x
        return letters(parse_pattern(self.pattern)[1])


@register
class Squeeze(Regroup):
    """Without axes of size 1: those that are named, or all of them but the channels."""

    kind = "squeeze"
    variadic = "which"
    examples = (
        Example("squeeze", ((6, 1, 1),), (6,)),
        Example("squeeze h", ((3, 1, 5),), (3, 5)),
        Example("squeeze t", ((1, 5),), (5,)),
    )

    which: Annotated[Letters, Field(description="the letters of the axes to drop")] = ()

    def settle(self, *inputs: Shape) -> Self:
        """The axes by name; which have size 1 must be known."""
        if self.which:
            return self
        (x,) = inputs
        found = tuple(a for a, size in named_sizes(x).items() if a != "c" and index(size) == 1)
        return self.model_copy(update={"which": found})

    def axes(self, x: Shape) -> str:
        """Those that are left; raises `Rejected` where one to drop is larger than 1, or none is left."""
        for letter in self.which:
            if x.sizes[place_of(x, letter, "which")] != 1:
                raise Rejected(
                    "bad-sizes", f"axis `{letter}` of {x} is not of size 1", param="which"
                )
        left = "".join(letter for letter in x.axes if letter not in self.which)
        if not left:
            raise Rejected("bad-sizes", "a tensor keeps at least one axis", param="which")
        return left

    def grouping(self, x: Shape) -> Grouping:
        """The others stay."""
        return Grouping(alone(x.axes), alone(self.axes(x)), named_sizes(x))


@register
class Unsqueeze(Regroup):
    """With one more axis, of size 1."""

    kind = "unsqueeze"
    examples = (
        Example("unsqueeze t", ((6,),), (1, 6)),
        Example("unsqueeze d before=h", ((3, 4, 5),), (3, 1, 4, 5)),
        Example("unsqueeze n", ((3, 4, 5),), (1, 3, 4, 5)),
    )

    axis: Annotated[str, Field(description="the letter of the new axis")]
    before: Annotated[
        str | None, Field(description="the axis that it stands before; the first if not given")
    ] = None

    def axes(self, x: Shape) -> str:
        """The new one among them."""
        return with_axis(x, self.axis, self.before)

    def grouping(self, x: Shape) -> Grouping:
        """The others stay."""
        return Grouping(alone(x.axes), alone(self.axes(x)), {**named_sizes(x), self.axis: 1})
