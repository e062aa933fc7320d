"""Ops that keep a part of a tensor, or put its elements elsewhere along an axis, and those that part it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field

from netspec.dim import Dim, below
from netspec.ops.base import Example, Op, Parting, Rejected, register
from netspec.ops.fields import Count, Letters, NamedSizes, in_order, place_of
from netspec.shape import Shape


def _resized(x: Shape, place: int, size: int) -> Shape:
    return x.with_sizes(*x.sizes[:place], size, *x.sizes[place + 1 :])


@register
class Slice(Op):
    """A range of positions along one axis: from `start` up to `stop`, every `step`-th of them.

    Negative bounds count from the end, which works along axes whose size is known only at run time, too.
    """

    kind = "slice"
    dtypes = ("float", "int")
    layout = "any"
    examples = (
        Example("slice t 1", ((5, 4),), (4, 4)),
        Example("slice c 1 -1", ((6,),), (4,)),
        Example("slice c 0 2", ((5, 3, 4),), (2, 3, 4)),
        Example("slice h 1 6 2", ((3, 7, 4),), (3, 3, 4)),
        Example("slice w -3", ((2, 3, 4, 5),), (2, 3, 4, 3)),
    )

    axis: Annotated[str, Field(description="the letter of the axis")]
    start: Annotated[int, Field(description="the first position")] = 0
    stop: Annotated[
        int | None, Field(description="the position after the last; the end if not given")
    ] = None
    step: Annotated[Count, Field(description="distance of the positions that are kept")] = 1

    @property
    def is_positionwise(self) -> bool:
        """Of the features."""
        return self.axis == "c"

    def _bounds(self, size: int) -> tuple[int, int]:
        """Both bounds, counted from the front of an axis of that size."""
        stop = size if self.stop is None else self.stop + size if self.stop < 0 else self.stop
        return self.start + size if self.start < 0 else self.start, stop

    def settle(self, *inputs: Shape) -> Self:
        """Both bounds counted from the front, where it is known how many positions there are."""
        (x,) = inputs
        size = x.sizes[place_of(x, self.axis)]
        start, stop = self._bounds(size)
        for bound, param in ((start, "start"), (stop, "stop")):
            if below(bound, 0) or below(size, bound):
                given = getattr(self, param)
                raise Rejected(
                    "index-out-of-range",
                    f"`{param}` is {given}, but axis `{self.axis}` of {x} has {size} positions",
                    param=param,
                )
        if below(stop - start, 1):
            raise Rejected(
                "index-out-of-range",
                f"no position of axis `{self.axis}` lies from {start} up to {stop}",
                param="stop" if self.stop is not None else "start",
            )
        if isinstance(size, Dim):
            return self
        return self.model_copy(update={"start": start, "stop": stop})

    def infer(self, *inputs: Shape) -> Shape:
        """The axis is shorter."""
        (x,) = inputs
        place = place_of(x, self.axis)
        start, stop = self._bounds(x.sizes[place])
        return _resized(x, place, -((start - stop) // self.step))

    def is_identity(self, *inputs: Shape) -> bool:
        """Where every position stays."""
        return self.infer(*inputs) == inputs[0]


@register
class Take(Op):
    """One position along an axis, which is gone then: a step of a sequence as a vector."""

    kind = "take"
    dtypes = ("float", "int")
    examples = (
        Example("take 0", ((5, 4),), (4,)),
        Example("take -1 axis=t", ((5, 4),), (4,)),
        Example("take 2 axis=c", ((5, 4),), (5,)),
        Example("take 1 axis=h", ((3, 4, 5),), (3, 5)),
        Example("take 0 axis=c", ((3, 4, 5),), (4, 5)),
        Example("take 3 axis=d", ((2, 4, 3, 5),), (2, 3, 5)),
    )

    index: Annotated[int, Field(description="the position; a negative one counts from the end")]
    axis: Annotated[str, Field(description="the letter of the axis")] = "t"

    def settle(self, *inputs: Shape) -> Self:
        """The position counted from the front, where it is known how many there are."""
        (x,) = inputs
        size = x.sizes[place_of(x, self.axis)]
        if isinstance(size, Dim):
            return self
        index = self.index + size if self.index < 0 else self.index
        if not 0 <= index < size:
            raise Rejected(
                "index-out-of-range",
                f"axis `{self.axis}` of {x} has no position {self.index}",
                param="index",
                help=f"its positions are 0 to {size - 1}",
            )
        return self.model_copy(update={"index": index})

    def infer(self, *inputs: Shape) -> Shape:
        """The other axes."""
        (x,) = inputs
        place = place_of(x, self.axis)
        if len(x.sizes) == 1:
            raise Rejected(
                "bad-sizes",
                f"one element of {x} alone is no tensor",
                help=f"`slice {self.axis} {self.index} {self.index + 1}` keeps the axis",
            )
        axes, sizes = x.axes.replace(self.axis, ""), (*x.sizes[:place], *x.sizes[place + 1 :])
        return Shape.made(axes, sizes, x.dtype)


@register
class Flip(Op):
    """The elements along some axes in reverse."""

    kind = "flip"
    variadic = "axes"
    dtypes = ("float", "int")
    layout = "any"
    examples = (
        Example("flip w", ((3, 4, 5),), (3, 4, 5)),
        Example("flip h c h", ((3, 4, 5),), (3, 4, 5)),
        Example("flip t", ((4, 5),), (4, 5)),
    )

    axes: Annotated[Letters, Field(min_length=1, description="the letters of the axes")]

    def settle(self, *inputs: Shape) -> Self:
        """The axes in the input's order."""
        return self.model_copy(update={"axes": in_order(inputs[0], self.axes)})

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        return inputs[0]

    def is_identity(self, *inputs: Shape) -> bool:
        """Along axes of one position."""
        return all(inputs[0].axis(letter) == 1 for letter in self.axes)


@register
class Roll(Op):
    """The elements moved along some axes; those that leave at one end come in at the other.

    `roll h=-3 w=-3` is the shift of Swin's windows (Liu et al., 2021).
    """

    kind = "roll"
    naming = "shifts"
    dtypes = ("float", "int")
    layout = "any"
    examples = (
        Example("roll h=1 w=-2", ((3, 4, 5),), (3, 4, 5)),
        Example("roll c=4", ((3, 4, 5),), (3, 4, 5)),
        Example("roll t=-1", ((4, 5),), (4, 5)),
    )

    shifts: Annotated[
        NamedSizes, Field(description="positions to move by, for each axis: `h=1 w=-2`")
    ] = ()

    def infer(self, *inputs: Shape) -> Shape:
        """Unchanged."""
        (x,) = inputs
        if not self.shifts:
            raise Rejected(
                "missing-argument", "`roll` needs an axis and a shift", help="write `roll h=1`"
            )
        for letter, _ in self.shifts:
            place_of(x, letter, letter)
        return x

    def is_identity(self, *inputs: Shape) -> bool:
        """By no position, or along an axis of one."""
        return all(shift == 0 or inputs[0].axis(letter) == 1 for letter, shift in self.shifts)


@register
class Expand(Op):
    """Axes of size 1 repeated: no op repeats them by guess, so `expand c=8` says it where branches are to be alike.

    A vector repeated for each step (Keras's `RepeatVector`) is `unsqueeze t -> expand t=8`.
    """

    kind = "expand"
    naming = "sizes"
    dtypes = ("float", "int")
    layout = "any"
    examples = (
        Example("expand c=3", ((1,),), (3,)),
        Example("expand h=2 w=5", ((3, 1, 1),), (3, 2, 5)),
        Example("expand t=4", ((1, 5),), (4, 5)),
        Example("expand d=3 c=2", ((1, 1, 2, 4),), (2, 3, 2, 4)),
    )

    sizes: Annotated[NamedSizes, Field(description="the new size of each axis: `h=8 w=8`")] = ()

    def infer(self, *inputs: Shape) -> Shape:
        """The axes are longer."""
        (x,) = inputs
        if not self.sizes:
            raise Rejected(
                "missing-argument", "`expand` needs an axis and its size", help="write `expand c=8`"
            )
        sizes = list(x.sizes)
        for letter, size in self.sizes:
            place = place_of(x, letter, letter)
            if size < 1:
                message = f"`{letter}` must be at least 1, got {size}"
                raise Rejected("bad-argument", message, param=letter)
            if x.sizes[place] != 1:
                raise Rejected(
                    "bad-sizes",
                    f"axis `{letter}` of {x} is not of size 1",
                    param=letter,
                    help="`concat` repeats longer axes as a whole, `upsample` position by position",
                )
            sizes[place] = size
        return x.with_sizes(*sizes)

    def is_identity(self, *inputs: Shape) -> bool:
        """To size 1."""
        del inputs
        return all(size == 1 for _, size in self.sizes)


MOST = 4096
"""Parts of one tensor, beyond which a spec is refused."""


def _into(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


@register
class Split(Parting):
    """Several tensors of one: `@a, @b = split 2` parts the channels into halves, `split [64, 32]` into given sizes."""

    kind = "split"
    dtypes = ("float", "int")
    aliases = ("chunk",)
    examples = (
        Example("split 2 -> add", ((6,),), (3,)),
        Example("split 2 -> concat", ((6, 4, 5),), (6, 4, 5)),
        Example("split [1, 4] axis=t -> concat axis=t", ((5, 3),), (5, 3)),
        Example("split [2, 1, 2] axis=w -> concat axis=w", ((2, 3, 5),), (2, 3, 5)),
    )

    into: Annotated[
        Count | tuple[Count, ...],
        BeforeValidator(_into),
        Field(description="how many equal parts, or the size of each"),
    ]
    axis: Annotated[str, Field(description="the letter of the axis")] = "c"

    def parts(self, x: Shape) -> tuple[Op, ...]:
        """A slice for each."""
        size = x.sizes[place_of(x, self.axis)]
        _check_count(self.into if isinstance(self.into, int) else len(self.into), "into")
        if isinstance(self.into, int):
            if size % self.into:
                raise Rejected(
                    "uneven-split",
                    f"axis `{self.axis}` of {x} does not part into {self.into}: "
                    f"{size} / {self.into} is no whole number",
                    param="into",
                    help=f"give the sizes: `split {_nearly_even(size, self.into)}`",
                )
            sizes: tuple[int, ...] = (size // self.into,) * self.into
        else:
            sizes = self.into
        if sum(sizes) != size:
            raise Rejected(
                "uneven-split",
                f"axis `{self.axis}` of {x} is {size}, but the parts are {sum(sizes)}",
                param="into",
                help=f"{' + '.join(map(str, sizes))} = {sum(sizes)}",
            )
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return tuple(
            Slice(axis=self.axis, start=end - size, stop=end)
            for end, size in zip(ends, sizes, strict=True)
        )


def _check_count(count: int, param: str) -> None:
    if count > MOST:
        raise Rejected("too-large", f"{count} parts are more than {MOST}", param=param)


def _nearly_even(size: int, count: int) -> str:
    """`[4, 3]`, the larger parts first; for many parts the first of them."""
    small, more = divmod(size, count)
    sizes = [str(small + (i < more)) for i in range(min(count, 6))]
    return f"[{', '.join([*sizes, '...'] if count > 6 else sizes)}]"


@register
class Unstack(Parting):
    """A tensor for each position along an axis, which is gone then: the steps of a sequence as vectors."""

    kind = "unstack"
    dtypes = ("float", "int")
    aliases = ("unbind",)
    examples = (
        Example("unstack t -> concat", ((3, 4),), (12,)),
        Example("unstack c -> stack c", ((2, 4, 3),), (2, 4, 3)),
    )

    axis: Annotated[str, Field(description="the letter of the axis")]

    def parts(self, x: Shape) -> tuple[Op, ...]:
        """A `take` for each."""
        size = x.sizes[place_of(x, self.axis)]
        _check_count(size, "axis")
        return tuple(Take(index=index, axis=self.axis) for index in range(size))
