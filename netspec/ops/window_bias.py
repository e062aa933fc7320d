"""What attention within windows knows of where things stand."""

from typing import Annotated, ClassVar, Self

from pydantic import Field

from netspec.dim import below
from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import Count, NamedSizes, PerAxis, per_axis
from netspec.shape import Shape


@register
class WindowBias(Op):
    """What Swin adds to the scores of attention within windows (Liu et al., 2021): a `mask` for `sdpa`.

    A learned number for each head and for each way from one place of a window to another, as axes
    `n t s` (heads, queries, keys). Where the image was rolled back by `h` and `w`, the first axis counts
    the image's windows, and -100 stands where two places of a window were no neighbours before. The current
    tensor is the image, which gives its size alone. The weight has the name of its step.
    """

    kind = "window_bias"
    accepts = ("image", "tensor")
    batchless = True
    naming = "shifts"
    examples: ClassVar = (
        Example("window_bias 3 2", ((5, 4, 6),), (3, 4, 4)),
        Example("window_bias 1 3x2 init=normal(0.5)", ((2, 3, 4),), (1, 6, 6)),
        Example("window_bias 2 2 init=orthogonal()", ((2, 2, 2),), (2, 4, 4)),
        Example("window_bias 2 2 h=1 w=1", ((2, 4, 6),), (6, 2, 4, 4)),
        Example('permute "h w c" -> window_bias 2 2x3 h=1', ((2, 4, 6),), (4, 2, 6, 6)),
    )

    heads: Annotated[Count, Field(description="heads of the attention")]
    size: Annotated[PerAxis, Field(description="height and width of a window")]
    shifts: Annotated[
        NamedSizes, Field(description="how far the image was rolled back: `h=3 w=3`")
    ] = ()
    init: Annotated[
        Init | None, Field(description="how it starts; as `trunc_normal(0.02)` if not given")
    ] = None

    def settle(self, *inputs: Shape) -> Self:
        """Both sizes of a window."""
        del inputs
        return self.model_copy(update={"size": per_axis(self.size, 2, "size")})

    @property
    def shift(self) -> tuple[int, int]:
        """How far the image was rolled back along both axes."""
        given = dict(self.shifts)
        return given.get("h", 0), given.get("w", 0)

    def infer(self, *inputs: Shape) -> Shape:
        """`n t s`, or `k n t s` with `k` windows."""
        (x,) = inputs
        if x.axes not in ("chw", "hwc"):
            axes = " ".join(x.axes)
            message = f"`{self.kind}` takes the axes `c h w` or `h w c`, not `{axes}` of {x}"
            raise Rejected("wrong-kind", message, help="it stands before `windows`")
        self._check_shifts()
        height, width = self.size
        area = height * width
        h, w = x.axis("h"), x.axis("w")
        if h % height or w % width:
            raise Rejected(
                "bad-sizes",
                f"windows of {height} x {width} do not fill {h} x {w}",
                param="size",
                help=f"`pad` it first: {-h % height} more rows and {-w % width} more columns",
            )
        if not any(self.shift):
            return Shape(axes="nts", sizes=(self.heads, area, area))
        count = (h // height) * (w // width)
        return Shape(axes="knts", sizes=(count, self.heads, area, area))

    def _check_shifts(self) -> None:
        for name, shift in self.shifts:
            if name not in ("h", "w"):
                raise Rejected(
                    "unknown-argument",
                    f"`{self.kind}` has no argument `{name}`",
                    param=name,
                    help="an image is rolled along `h` and `w`",
                )
            size = self.size["hw".index(name)]
            if below(shift, 0) or not below(shift, size):
                raise Rejected(
                    "bad-argument",
                    f"an image is rolled back by 0 to {size - 1}, less than a window, not by {shift}",
                    param=name,
                )

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The table itself, `((2 h - 1) * (2 w - 1), heads)`, its rows by the way down and the way right."""
        del inputs
        height, width = self.size
        start = Init(rule="trunc_normal", value=0.02) if self.init is None else self.init
        return (Weight("", ((2 * height - 1) * (2 * width - 1), self.heads), start),)

    @property
    def index(self) -> list[int]:
        """The table's row for each query and each key, one query after another."""
        height, width = self.size
        places = [(y, x) for y in range(height) for x in range(width)]
        return [
            (y - v + height - 1) * (2 * width - 1) + x - u + width - 1
            for y, x in places
            for v, u in places
        ]

    def regions(self, x: Shape) -> list[int]:
        """For each place of each window, the part of the image before it was rolled: neighbours have the same."""
        rows, columns = (
            [(i >= size - window) + (i >= size - shift) for i in range(size)]
            for size, window, shift in zip(
                (x.axis("h"), x.axis("w")), self.size, self.shift, strict=True
            )
        )
        height, width = self.size
        return [
            3 * rows[top + y] + columns[left + z]
            for top in range(0, len(rows), height)
            for left in range(0, len(columns), width)
            for y in range(height)
            for z in range(width)
        ]
