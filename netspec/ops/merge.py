"""Ops that make one tensor of several."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from netspec.ops.base import Example, Layout, Op, Rejected, register
from netspec.ops.fields import place_of, with_axis
from netspec.shape import Shape


class _Merge(Op):
    """Takes at least two tensors."""

    merges = True
    layout: ClassVar[Layout] = "any"

    def _check_count(self, inputs: tuple[Shape, ...]) -> None:
        if len(inputs) < 2:
            raise Rejected(
                "too-few-branches",
                f"`{self.kind}` needs at least two branches, got {len(inputs)}",
                help=f"write `{self.kind} {{ a | b }}`",
            )


class _Elementwise(_Merge):
    """Takes tensors of one shape: broadcasting is never guessed."""

    spreads = True
    positionwise = True

    def infer(self, *inputs: Shape) -> Shape:
        """The common shape."""
        self._check_count(inputs)
        for number, shape in enumerate(inputs[1:], start=2):
            if shape != inputs[0]:
                raise Rejected(
                    "unequal-branches",
                    f"`{self.kind}` needs branches of one shape: the first is {inputs[0]}, branch {number} is {shape}",
                    help=_to_equal(inputs[0], shape, number),
                )
        return inputs[0]


def _to_equal(first: Shape, other: Shape, number: int) -> str:
    """What makes a branch as the first one is: written repetition, where that is enough."""
    for whole, small, branch in ((first, other, number), (other, first, 1)):
        sizes = list(zip(whole.sizes, small.sizes, strict=False))
        if whole.axes == small.axes and all(b in (1, a) for a, b in sizes):
            longer = [
                f"{axis}={a}" for axis, (a, b) in zip(whole.axes, sizes, strict=True) if a != b
            ]
            return f"`-> expand {' '.join(longer)}` at the end of branch {branch} repeats it"
    return "make the shapes equal, with a 1 x 1 convolution on one branch for instance"


_PAIR: tuple[tuple[int, ...], ...] = ((3, 4, 5), (3, 4, 5))
_TRIPLE: tuple[tuple[int, ...], ...] = ((6,), (6,), (6,))


def _examples(kind: str) -> tuple[Example, ...]:
    return (
        Example(f"{kind} {{ @a | @b }}", _PAIR, (3, 4, 5)),
        Example(f"{kind} {{ @a | @b | @c }}", _TRIPLE, (6,)),
    )


class _GatedMerge(_Merge):
    """Takes tensors of one shape, and gates: along an axis that a gate lacks it is repeated.

    Where `repeats_ones`, so it is along one of size 1. In a sum that would hide a branch that is too small by mistake.
    """

    spreads = True
    positionwise = True
    repeats_ones: ClassVar[bool] = True

    def infer(self, *inputs: Shape) -> Shape:
        """The shape of the largest branch; the others equal it or are its gates."""
        self._check_count(inputs)
        whole = whole_of(inputs)
        for number, shape in enumerate(inputs, start=1):
            if not _is_gate(shape, whole, self.repeats_ones):
                raise Rejected(
                    "unequal-branches",
                    f"`{self.kind}` cannot combine {whole} with branch {number}, which is {shape}",
                    help=self._to_gate(whole, shape, number),
                )
        return whole

    def _to_gate(self, whole: Shape, shape: Shape, number: int) -> str:
        """What makes a branch equal to the whole, or something that is repeated."""
        ones = ", or a tensor of the same axes, some of size 1" if self.repeats_ones else ""
        if shape.axes == whole.axes:
            return _to_equal(whole, shape, number)
        return (
            "make the shapes equal, or let the branch end in a gate: a vector with one value per "
            f"channel{ones}"
        )


def whole_of(shapes: Sequence[Shape]) -> Shape:
    """The shape that the others are gates of: the first of those with most axes and least of size 1."""
    return max(shapes, key=lambda shape: (len(shape.sizes), -shape.sizes.count(1)))


def _is_gate(shape: Shape, whole: Shape, repeats_ones: bool) -> bool:
    """Whether a shape is the whole one, or repeats along axes of it; their order is the same."""
    letters = iter(whole.axes)
    return shape.dtype == whole.dtype and all(
        axis in letters and (size == whole.axis(axis) or (repeats_ones and size == 1))
        for axis, size in zip(shape.axes, shape.sizes, strict=True)
    )


def _gate_examples(kind: str) -> tuple[Example, ...]:
    return (
        Example(f"{kind} {{ @a | @b }}", ((3, 4, 5), (3,)), (3, 4, 5)),
        Example(f"{kind} {{ @a | @b }}", ((3,), (3, 4, 5)), (3, 4, 5)),
        Example(f"{kind} {{ @a | @b }}", ((3, 2, 4, 5), (3,)), (3, 2, 4, 5)),
        Example(f"{kind} {{ @a | @b }}", ((3, 4), (4,)), (3, 4)),
        Example(f"{kind} {{ @a | @b -> reduce_mean c }}", ((3, 4, 5), (3, 4, 5)), (3, 4, 5)),
        Example(f"{kind} {{ @a | @b -> reduce_mean h }}", ((3, 4, 5), (3, 4, 5)), (3, 4, 5)),
    )


@register
class Add(_GatedMerge):
    """The sum of the branches. A vector of `c` is added at every position of a map or sequence with `c` channels."""

    kind = "add"
    repeats_ones = False
    examples = (*_examples("add"), *_gate_examples("add"))


@register
class Subtract(_GatedMerge):
    """The first branch less all the others. What lacks an axis is repeated as by `add`."""

    kind = "sub"
    aliases = ("subtract",)
    repeats_ones = False
    examples = (
        *_examples("sub"),
        Example("sub { @a | @b }", ((3, 4, 5), (3,)), (3, 4, 5)),
        Example("sub { @a | @b }", ((5,), (4, 5)), (4, 5)),
        Example("sub { @a | @b | @c }", ((4, 5), (5,), (4, 5)), (4, 5)),
    )


@register
class Multiply(_GatedMerge):
    """The product of the branches. A vector of `c` gates every position of a map or sequence with `c` channels."""

    kind = "mul"
    aliases = ("multiply",)
    examples = (
        *_examples("mul"),
        *_gate_examples("mul"),
        Example("mul { @a | @b | @c }", ((3, 4, 5), (3, 1, 1), (1, 4, 5)), (3, 4, 5)),
    )


@register
class Divide(_GatedMerge):
    """The first branch over all the others. Gates are as for `mul`."""

    kind = "div"
    aliases = ("divide",)
    examples = (
        Example("div { @a | @b -> exp }", _PAIR, (3, 4, 5)),
        Example("div { @a | @b -> exp | @c -> exp }", _TRIPLE, (6,)),
        Example("div { @a | @b -> exp }", ((3, 4, 5), (3,)), (3, 4, 5)),
        Example("div { @a | @b -> exp }", ((3,), (3, 4, 5)), (3, 4, 5)),
        Example("div { @a | @b -> exp }", ((4, 5), (4, 1)), (4, 5)),
    )


@register
class MatMul(_Merge):
    """The matrix product over the last two axes; all axes before them are alike. The result's are the first one's.

    `matmul transpose=true { q | k } -> softmax -> matmul { @ | v }` are two sequences and what attends to them.
    """

    kind = "matmul"
    accepts = ("sequence", "tensor")
    layout = "fixed"
    examples = (
        Example("matmul { @a | @b }", ((4, 5), (5, 3)), (4, 3)),
        Example("matmul transpose=true { @a | @b }", ((4, 5), (3, 5)), (4, 3)),
        Example(
            'matmul { @a -> permute "h w c" | @b -> permute "h w c" }',
            ((3, 2, 4), (5, 2, 3)),
            (2, 4, 5),
        ),
    )

    transpose: Annotated[
        bool, Field(description="whether the last two axes of the second change places")
    ] = False

    def infer(self, *inputs: Shape) -> Shape:
        """`t k`, `k c -> t c`."""
        self._check_count(inputs)
        if len(inputs) > 2:
            raise Rejected("too-many-branches", f"`matmul` takes two branches, got {len(inputs)}")
        first, second = inputs
        if len(first.sizes) < 2 or len(first.sizes) != len(second.sizes):
            raise Rejected(
                "unequal-branches",
                f"`matmul` needs two axes or more, as many in both: {first} and {second}",
            )
        rows, columns = second.sizes[-2:] if not self.transpose else second.sizes[:-3:-1]
        if first.sizes[:-2] != second.sizes[:-2] or first.sizes[-1] != rows:
            raise Rejected(
                "unequal-branches",
                f"`matmul` cannot multiply {first} by {second}"
                f"{' transposed' if self.transpose else ''}: {first.sizes[-1]} columns meet {rows} rows",
                help="`transpose=true` exchanges the last two axes of the second",
            )
        return first.with_sizes(*first.sizes[:-1], columns)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One for each element of the result and of a column."""
        return output.elements * inputs[0].sizes[-1]


@register
class Maximum(_Elementwise):
    """The largest of the branches, element by element."""

    kind = "max"
    aliases = ("maximum",)
    examples = _examples("max")


@register
class Minimum(_Elementwise):
    """The least of the branches, element by element."""

    kind = "min"
    aliases = ("minimum",)
    examples = _examples("min")


@register
class Mean(_Elementwise):
    """The mean of the branches, element by element."""

    kind = "mean"
    examples = _examples("mean")


@register
class Concat(_Merge):
    """The branches side by side along one axis: the channels unless `axis` names another."""

    kind = "concat"
    examples = (
        Example("concat { @a | @b }", ((3, 4, 5), (2, 4, 5)), (5, 4, 5)),
        Example("concat { @a | @b | @c }", ((3,), (2,), (1,)), (6,)),
        Example("concat axis=h { @a | @b }", ((3, 4, 5), (3, 2, 5)), (3, 6, 5)),
        Example("concat axis=t { @a | @b }", ((3, 4), (2, 4)), (5, 4)),
        Example("concat { @a | @b }", ((3, 4), (3, 2)), (3, 6)),
    )

    axis: Annotated[str, Field(description="the letter of the axis that grows")] = "c"

    @property
    def is_positionwise(self) -> bool:
        """Of the features."""
        return self.axis == "c"

    def infer(self, *inputs: Shape) -> Shape:
        """The sizes along `axis` add up; all others must be equal."""
        self._check_count(inputs)
        first = inputs[0]
        index = place_of(first, self.axis)
        for number, shape in enumerate(inputs[1:], start=2):
            if shape.axes != first.axes or any(
                a != b
                for i, (a, b) in enumerate(zip(shape.sizes, first.sizes, strict=True))
                if i != index
            ):
                raise Rejected(
                    "unequal-branches",
                    f"`concat` along {self.axis} needs branches that agree elsewhere: "
                    f"the first is {first}, branch {number} is {shape}",
                )
        sizes = list(first.sizes)
        sizes[index] = sum(shape.sizes[index] for shape in inputs)
        return first.with_sizes(*sizes)


@register
class Stack(_Elementwise):
    """The branches one behind another along a new axis."""

    kind = "stack"
    layout = "fixed"  # the new axis stands among those of the spec's order
    positionwise = False
    dtypes = ("float", "int")
    examples = (
        Example("stack t { @a | @b | @c }", _TRIPLE, (3, 6)),
        Example("stack n { @a | @b }", _PAIR, (2, 3, 4, 5)),
        Example("stack d before=h { @a | @b }", _PAIR, (3, 2, 4, 5)),
    )

    axis: Annotated[str, Field(description="the letter of the new axis")]
    before: Annotated[
        str | None, Field(description="the axis that it stands before; the first if not given")
    ] = None

    def infer(self, *inputs: Shape) -> Shape:
        """One more axis, with a position for each branch."""
        x = super().infer(*inputs)
        axes = with_axis(x, self.axis, self.before)
        sizes = dict(zip(x.axes, x.sizes, strict=True)) | {self.axis: len(inputs)}
        return Shape.made(axes, tuple(sizes[letter] for letter in axes), x.dtype)
