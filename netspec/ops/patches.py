"""Windows of an image as vectors (im2col), and their sum in its place (col2im)."""

from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field

from netspec.ops.base import Example, Op, Rejected, register
from netspec.ops.fields import Count, Pads, PerAxis, check_windows, per_axis
from netspec.shape import Shape, window_extent, window_steps

_Kernel = Annotated[PerAxis, Field(description="window size, for both axes or for each")]
_Stride = Annotated[PerAxis, Field(description="step of the window")]
_Padding = Annotated[Pads, Field(description="zeros around: one number, or one per axis")]
_Dilation = Annotated[PerAxis, Field(description="distance between the window's taps")]


class Patches(Op):
    """What both directions share: windows over an image of known height and width."""

    if TYPE_CHECKING:  # declared by each op, at its place among the arguments
        kernel: tuple[int, ...]
        stride: tuple[int, ...]
        padding: tuple[int, ...]
        dilation: tuple[int, ...]

    def settle(self, *inputs: Shape) -> Self:
        """Each argument per axis."""
        del inputs
        names = ("kernel", "stride", "padding", "dilation")
        return self.model_copy(
            update={name: per_axis(getattr(self, name), 2, name) for name in names}
        )

    def steps(self, spatial: tuple[int, ...]) -> tuple[int, ...]:
        """How many windows stand along each axis of an image of that size, for a settled op."""
        extents = map(window_extent, self.kernel, self.dilation)
        axes = zip(spatial, self.padding, extents, self.stride, strict=True)
        return tuple(window_steps(n + 2 * pad, extent, s) for n, pad, extent, s in axes)


@register
class Unfold(Patches):
    """Every window of an image as a step of a sequence, row by row: PyTorch's `nn.Unfold`, its axes swapped.

    The features of a step are all taps of the first channel, then those of the second.
    """

    kind = "unfold"
    aliases = ("im2col",)
    accepts = ("image",)
    examples: ClassVar = (
        Example("unfold 2", ((3, 4, 5),), (12, 12)),
        Example("unfold 2x3 stride=(1, 2) padding=(0, 1)", ((2, 3, 5),), (6, 12)),
        Example("unfold 3 padding=2 dilation=2", ((1, 4, 3),), (12, 9)),
    )

    kernel: _Kernel
    stride: _Stride = (1,)
    padding: _Padding = (0,)
    dilation: _Dilation = (1,)

    def infer(self, *inputs: Shape) -> Shape:
        """`c h w -> t (c * taps)`."""
        (x,) = inputs
        check_windows(self.kind, x, self.kernel, self.dilation, self.padding * 2)
        return Shape.of(prod(self.steps(x.spatial)), x.axis("c") * prod(self.kernel))


@register
class Fold(Patches):
    """A step of a sequence as a window of an image, and the sum where windows overlap: PyTorch's `nn.Fold`.

    The adjoint of `unfold` with the same arguments.
    """

    kind = "fold"
    aliases = ("col2im",)
    accepts = ("sequence",)
    examples: ClassVar = (
        Example("fold 4 5 2", ((12, 12),), (3, 4, 5)),
        Example("fold 3 5 2x3 stride=(1, 2) padding=(0, 1)", ((6, 12),), (2, 3, 5)),
        Example("fold 4 3 3 padding=2 dilation=2", ((12, 9),), (1, 4, 3)),
        Example("fold 5 4 2 stride=3", ((2, 4),), (1, 5, 4)),
    )

    height: Annotated[Count, Field(description="height of the image")]
    width: Annotated[Count, Field(description="width of the image")]
    kernel: _Kernel
    stride: _Stride = (1,)
    padding: _Padding = (0,)
    dilation: _Dilation = (1,)

    def infer(self, *inputs: Shape) -> Shape:
        """`t (c * taps) -> c h w`."""
        (x,) = inputs
        taps, features = prod(self.kernel), x.axis("c")
        if features % taps:
            words = " x ".join(map(str, self.kernel))
            raise Rejected(
                "uneven-split",
                f"{features} features are no windows of {words}: {features} / {taps} is no whole number",
                param="kernel",
            )
        y = Shape.of(features // taps, self.height, self.width)
        check_windows(self.kind, y, self.kernel, self.dilation, self.padding * 2)
        down, right = self.steps(y.spatial)
        if x.axis("t") != down * right:
            raise Rejected(
                "bad-sizes",
                f"{self.height} x {self.width} has {down} x {right} windows, and {x} has {x.axis('t')} steps",
                help=f"{down} x {right} is {down * right}",
            )
        return y
