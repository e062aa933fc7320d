"""Tensors that belong to the network itself: learned ones, and constants."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import Count, Number
from netspec.ops.initial import LARGEST_FLOAT
from netspec.shape import AXES_BY_RANK, Shape

_Axes = Annotated[
    str | None, Field(description="a letter for each axis, where they are not the usual ones")
]


class _Own(Op):
    """Takes the current tensor for the number of its examples alone."""

    dtypes = ("float", "int")
    batchless = True

    def _shape(self, sizes: tuple[int, ...], axes: str | None) -> Shape:
        if axes is None and len(sizes) not in AXES_BY_RANK:
            raise Rejected(
                "wrong-rank",
                f"a tensor of {len(sizes)} axes needs names for them",
                help='give each axis a letter: `param 8 7 7 3 2 axes="nhwkc"`',
            )
        axes = AXES_BY_RANK[len(sizes)] if axes is None else axes
        if len(set(axes)) != len(sizes) or len(axes) != len(sizes) or not axes.isalpha():
            raise Rejected(
                "unknown-axis",
                f"`{axes}` does not name {len(sizes)} axes",
                param="axes",
                help="give each axis a letter of its own: `tc`, `chw`",
            )
        return Shape.made(axes, sizes)


def _flat(value: Any) -> Any:
    if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], tuple):
        return value[0]
    return tuple(value) if isinstance(value, list) else value


@register
class Param(_Own):
    """A learned tensor, the same for every example: `c`, `t c`, `c h w`, `c d h w`, or of axes with other names.

    The current tensor gives the number of examples and nothing else, so it reads well as a branch:
    `add { @ | param @.t @.c }`. Its weight has an axis of one in front, where the examples are, as is usual
    in PyTorch, and the name of its step.
    """

    kind = "param"
    variadic = "sizes"
    named_axes = True
    examples = (
        Example("param 6", ((4,),), (6,)),
        Example("param 1 6 init=normal(0.02)", ((5, 4),), (1, 6)),
        Example("param 2 3 init=orthogonal()", ((4,),), (2, 3)),
        Example("param 3 2 4", ((5,),), (3, 2, 4)),
        Example('param 2 3 4 axes="nhw" init=xavier_uniform()', ((5,),), (2, 3, 4)),
    )

    sizes: Annotated[
        tuple[Count, ...],
        BeforeValidator(_flat),
        Field(min_length=1, max_length=8, description="size of each axis, channels first"),
    ]
    init: Annotated[Init | None, Field(description="how it starts; with zeros if not given")] = None
    axes: _Axes = None

    def infer(self, *inputs: Shape) -> Shape:
        """The sizes."""
        del inputs
        return self._shape(self.sizes, self.axes)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The tensor itself, `(1, *sizes)`."""
        del inputs
        start = Init.constant(0) if self.init is None else self.init
        return (Weight("", (1, *self.sizes), start),)


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list | tuple) else value


Rows = Annotated[
    tuple[Number, ...]
    | tuple[tuple[Number, ...], ...]
    | tuple[tuple[tuple[Number, ...], ...], ...]
    | tuple[tuple[tuple[tuple[Number, ...], ...], ...], ...],
    BeforeValidator(_nested),
]


@register
class Const(_Own):
    """Numbers that the spec gives, as lists of lists, the same for every example. Rounded to float32.

    It takes the current tensor as `param` does.
    """

    kind = "const"
    examples = (
        Example("const [0.1, -2, 3.5]", ((4,),), (3,)),
        Example("const [[1, 2, 3], [4, 5, 6]]", ((5, 4),), (2, 3)),
        Example("const [[[1], [2]], [[3], [4]]]", ((5,),), (2, 2, 1)),
    )

    values: Annotated[Rows, Field(description="the numbers, in lists of equal length")]
    axes: _Axes = None

    def infer(self, *inputs: Shape) -> Shape:
        """The lengths of the lists, the outermost first."""
        del inputs
        sizes = self.sizes
        if any(abs(number) > LARGEST_FLOAT for number in self.numbers):
            raise Rejected("bad-argument", "a number of `values` is beyond float32", param="values")
        return self._shape(sizes, self.axes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The lengths of the lists; raises `Rejected` where they are unequal or empty."""
        sizes: list[int] = []
        level: list[Any] = [self.values]
        while isinstance(level[0], tuple):
            lengths = {len(row) for row in level}
            if len(lengths) > 1 or 0 in lengths:
                raise Rejected(
                    "bad-argument",
                    "`values` must be lists of one length, none of them empty",
                    param="values",
                )
            sizes.append(lengths.pop())
            level = [item for row in level for item in row]
        return tuple(sizes)

    @property
    def numbers(self) -> Iterator[float]:
        """All of them, row by row."""
        level: list[Any] = [self.values]
        while isinstance(level[0], tuple):
            level = [item for row in level for item in row]
        return iter(level)
