"""Convolutions and transposed convolutions over the time of sequences and the positions of images and volumes."""

from math import prod
from typing import Annotated, Literal, Self

from pydantic import Field

from netspec.dim import below
from netspec.ops.base import Example, Init, Op, Rejected, Weight, register
from netspec.ops.fields import (
    BiasInitial,
    Count,
    Initial,
    Padding,
    Pads,
    PerAxis,
    check_windows,
    explicit_pads,
    per_axis,
    settled_pads,
)
from netspec.shape import (
    Shape,
    join_pads,
    same_steps,
    split_pads,
    window_extent,
    window_steps,
)


class _Convolution(Op):
    """What both directions share: arguments, and how they settle."""

    accepts = ("sequence", "image", "volume")
    layout = "channels_first"

    filters: Annotated[Count, Field(description="output channels")]
    kernel: Annotated[PerAxis, Field(description="window size, for all axes or for each")]
    stride: Annotated[PerAxis, Field(description="step of the window")] = (1,)
    padding: Annotated[
        Padding,
        Field(
            description="`valid`, `half`, `same`, `causal`, one number, one per axis, or one per side"
        ),
    ] = (0,)
    dilation: Annotated[PerAxis, Field(description="distance between the window's taps")] = (1,)
    groups: Annotated[Count, Field(description="channel groups that are convolved apart")] = 1
    bias: Annotated[bool, Field(description="whether a bias is added")] = True
    init: Initial = None
    bias_init: BiasInitial = None

    def _windows(self, x: Shape) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        rank = len(x.spatial)
        return (
            per_axis(self.kernel, rank, "kernel"),
            per_axis(self.stride, rank, "stride"),
            per_axis(self.dilation, rank, "dilation"),
        )

    def _check_groups(self, x: Shape) -> None:
        for count, what, param in (
            (x.axis("c"), "input channels", "groups"),
            (self.filters, "filters", "groups"),
        ):
            if count % self.groups:
                raise Rejected(
                    "indivisible-groups",
                    f"{count} {what} cannot be split into {self.groups} groups",
                    param=param,
                    help="choose `groups` so that it divides the input channels and the filters",
                )

    def _weights(self, shape: tuple[int, ...]) -> tuple[Weight, ...]:
        """A kernel of that shape, and the bias."""
        init = Init.fan_in(prod(shape[1:]))
        weight = Weight("weight", shape, init).starting(self.init)
        bias = Weight("bias", (self.filters,), init).starting(self.bias_init)
        return (weight, bias) if self.bias else (weight,)


class _Correlation(_Convolution):
    """What `conv` and its variants share: the modes of padding, and the shape rule.

    Output size per axis: (n + before + after - dilation * (kernel - 1) - 1) // stride + 1.
    """

    mode: Annotated[
        Literal["zeros", "reflect", "replicate", "circular"],
        Field(description="what stands in the padding: `zeros`, or values of the input"),
    ] = "zeros"

    def settle(self, *inputs: Shape) -> Self:
        """Kernel, stride and dilation per axis; padding as numbers, or `same` where they are unknown."""
        (x,) = inputs
        kernel, stride, dilation = self._windows(x)
        settled = settled_pads if self.mode == "zeros" else explicit_pads
        pads = settled(self.padding, x.spatial, kernel, stride, dilation)
        mode = self.mode if any(pads) else "zeros"
        update = {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": pads}
        return self.model_copy(update={**update, "mode": mode})

    def infer(self, *inputs: Shape) -> Shape:
        """`c h w -> filters h' w'`, `t c -> t' filters`."""
        (x,) = inputs
        self._check_groups(x)
        if self.padding == "same":
            return x.with_map(self.filters, *map(same_steps, x.spatial, self.stride))
        assert isinstance(self.padding, tuple)
        self._check_mode(x, split_pads(self.padding))
        check_windows(self.kind, x, self.kernel, self.dilation, self.padding)
        sizes = [
            window_steps(size + before + after, window_extent(k, d), s)
            for size, (before, after), k, s, d in zip(
                x.spatial,
                split_pads(self.padding),
                self.kernel,
                self.stride,
                self.dilation,
                strict=True,
            )
        ]
        return x.with_map(self.filters, *sizes)

    def _check_mode(self, x: Shape, pairs: list[tuple[int, int]]) -> None:
        """What is read from the input to pad it must be there."""
        if self.mode not in ("reflect", "circular"):
            return
        for size, pair in zip(x.spatial, pairs, strict=True):
            most = size - 1 if self.mode == "reflect" else size
            if below(most, max(pair)):
                raise Rejected(
                    "padding-too-large",
                    f"`mode={self.mode}` finds {most} positions for a padding of {max(pair)}",
                    param="padding",
                    help=f"pad an axis of {size} by {most} or less, or use `mode=replicate`",
                )

    @property
    def is_causal(self) -> bool:
        """Whether a settled op pads the past of a sequence with zeros, as far as a window reaches back."""
        reach = window_extent(self.kernel[0], self.dilation[0]) - 1
        return self.mode == "zeros" and reach > 0 and self.padding == (reach, 0)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (filters, c / groups, *kernel)`, `bias (filters)`."""
        (x,) = inputs
        return self._weights((self.filters, x.axis("c") // self.groups, *self.kernel))

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per tap of each output element."""
        (x,) = inputs
        return output.elements * (x.axis("c") // self.groups) * prod(self.kernel)


@register
class Conv(_Correlation):
    """Cross-correlation of the input with learned filters, as in PyTorch, Keras and ONNX `Conv`.

    Output size per axis: (n + before + after - dilation * (kernel - 1) - 1) // stride + 1.
    """

    kind = "conv"
    examples = (
        Example("conv 32 3", ((1, 28, 28),), (32, 26, 26)),
        Example("conv 8 3 padding=1", ((3, 7, 7),), (8, 7, 7)),
        Example("conv 8 3 stride=2 padding=half bias=false", ((3, 8, 8),), (8, 4, 4)),
        Example("conv 8 3 stride=2 padding=same", ((3, 8, 9),), (8, 4, 5)),
        Example("conv 8 4 padding=same", ((3, 8, 9),), (8, 8, 9)),
        Example("conv 6 1x7 padding=half", ((4, 9, 9),), (6, 9, 9)),
        Example("conv 8 3 padding=(0, 1, 2, 3)", ((4, 9, 9),), (8, 9, 11)),
        Example("conv 8 3 dilation=2 padding=half", ((4, 9, 9),), (8, 9, 9)),
        Example("conv 8 3 stride=2 dilation=2 padding=half", ((4, 9, 9),), (8, 5, 5)),
        Example("conv 3 2 stride=2 dilation=2 padding=same", ((2, 5, 6),), (3, 3, 3)),
        Example("conv 8 3 groups=2 init=kaiming_normal(fan_out)", ((4, 9, 9),), (8, 7, 7)),
        Example("conv 8 3 groups=4 stride=(2, 1) padding=1", ((4, 9, 9),), (8, 5, 9)),
        Example("conv 4 3 groups=4 dilation=2 init=xavier_uniform()", ((4, 9, 9),), (4, 5, 5)),
        Example("conv 4 2 groups=4 init=orthogonal()", ((4, 3, 3),), (4, 2, 2)),
        Example("conv 4 3 padding=1", ((2, 5, 6, 7),), (4, 5, 6, 7)),
        Example("conv 4 3 groups=2 stride=2 padding=1", ((2, 5, 6, 7),), (4, 3, 3, 4)),
        Example("conv 6 3", ((9, 4),), (7, 6)),
        Example("conv 6 3 padding=half stride=2 bias=false", ((8, 4),), (4, 6)),
        Example("conv 6 4 padding=same stride=3", ((10, 4),), (4, 6)),
        Example("conv 6 2 padding=causal dilation=4", ((9, 4),), (9, 6)),
        Example("conv 6 3 padding=causal groups=2 stride=2 dilation=2", ((9, 4),), (5, 6)),
        Example("conv 8 3 padding=(2, 0) groups=4", ((9, 4),), (9, 8)),
        Example("conv 4 3 padding=causal groups=4", ((9, 4),), (9, 4)),
        Example("conv 6 3 padding=half mode=reflect", ((4, 5, 6),), (6, 5, 6)),
        Example("conv 6 3 padding=(2, 0, 1, 1) mode=replicate", ((4, 5, 6),), (6, 6, 5)),
        Example("conv 6 5 padding=half mode=circular", ((4, 5, 6),), (6, 5, 6)),
        Example("conv 6 3 padding=causal mode=reflect", ((5, 4),), (5, 6)),
        Example("conv 6 3 padding=1 stride=2 mode=circular", ((5, 4),), (3, 6)),
        Example("conv 4 3 padding=1 mode=replicate", ((2, 3, 4, 5),), (4, 3, 4, 5)),
    )


@register
class StandardizedConv(_Correlation):
    """A convolution with standardised weights (Kolesnikov et al., 2020, "Big Transfer"; Qiao et al., 2019).

    Each filter, over its inputs and window, is brought to mean 0 and variance 1 before it is applied:
    `(w - mean) / sqrt(var + eps)`, with the biased variance.
    """

    kind = "wsconv"
    aliases = ("ws_conv",)
    examples = (
        Example("wsconv 6 3 padding=1", ((4, 5, 6),), (6, 5, 6)),
        Example("wsconv 6 3 groups=2 stride=2 padding=same bias=false", ((4, 5, 6),), (6, 3, 3)),
        Example("wsconv 6 1 eps=1e-3", ((4, 5, 6),), (6, 5, 6)),
        Example("wsconv 6 3 padding=1 mode=reflect", ((4, 5, 6),), (6, 5, 6)),
        Example("wsconv 6 3 padding=causal dilation=2", ((5, 4),), (5, 6)),
        Example("wsconv 4 3 padding=1", ((2, 3, 4, 5),), (4, 3, 4, 5)),
    )

    eps: Annotated[float, Field(gt=0, le=1, description="added to the variance of a filter")] = 1e-5


@register
class ConvTranspose(_Convolution):
    """The transpose of a convolution (PyTorch's `ConvTranspose2d`): each input element spreads a filter.

    Output size per axis: (n - 1) * stride - before - after + dilation * (kernel - 1) + 1 + output_padding.
    `padding=same` gives n * stride; so does `padding=causal`, where no output sees a later input.
    """

    kind = "conv_transpose"
    aliases = ("upconv",)
    examples = (
        Example("conv_transpose 6 2 stride=2", ((4, 5, 6),), (6, 10, 12)),
        Example("conv_transpose 6 4 stride=2 padding=1", ((4, 5, 6),), (6, 10, 12)),
        Example(
            "conv_transpose 6 3 stride=2 padding=1 output_padding=1", ((4, 5, 6),), (6, 10, 12)
        ),
        Example("conv_transpose 6 3 stride=2 padding=same bias=false", ((4, 5, 6),), (6, 10, 12)),
        Example("conv_transpose 6 2 stride=3 padding=same", ((4, 5, 6),), (6, 15, 18)),
        Example("conv_transpose 6 3 groups=2 padding=1", ((4, 5, 6),), (6, 5, 6)),
        Example("conv_transpose 6 3 dilation=2", ((4, 5, 6),), (6, 9, 10)),
        Example("conv_transpose 4 2 stride=2", ((2, 3, 4, 5),), (4, 6, 8, 10)),
        Example("conv_transpose 6 4 stride=2 padding=1", ((5, 4),), (10, 6)),
        Example("conv_transpose 6 3 stride=2 padding=same", ((5, 4),), (10, 6)),
        Example("conv_transpose 6 2 stride=3 padding=same bias=false", ((5, 4),), (15, 6)),
        Example("conv_transpose 6 3 groups=2", ((5, 4),), (7, 6)),
        Example("conv_transpose 6 5 stride=2 padding=causal", ((5, 4),), (10, 6)),
        Example("conv_transpose 6 3 padding=(0, 1)", ((5, 4),), (6, 6)),
    )

    output_padding: Annotated[
        Pads, Field(description="extra size at the end, less than the stride")
    ] = (0,)

    def settle(self, *inputs: Shape) -> Self:
        """Kernel, stride and dilation per axis; padding and output padding as numbers."""
        (x,) = inputs
        kernel, stride, dilation = self._windows(x)
        extra = per_axis(self.output_padding, len(x.spatial), "output_padding")
        # What `same` pads depends on the windows alone here, not on the input's size.
        padding = "valid" if self.padding == "same" else self.padding
        pads = explicit_pads(padding, x.spatial, kernel, stride, dilation)
        if self.padding in ("same", "causal"):
            if any(extra):
                raise Rejected(
                    "bad-argument",
                    f"`padding={self.padding}` gives n * stride, and leaves `output_padding` no choice",
                    param="output_padding",
                    help="leave it out, or give `padding` as numbers",
                )
            surplus = [
                window_extent(k, d) - s for k, s, d in zip(kernel, stride, dilation, strict=True)
            ]
            before = [0 if self.padding == "causal" else max(t, 0) // 2 for t in surplus]
            pads = join_pads([(b, max(t, 0) - b) for b, t in zip(before, surplus, strict=True)])
            extra = tuple(max(-t, 0) for t in surplus)
        update = {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": pads}
        return self.model_copy(update={**update, "output_padding": extra})

    def infer(self, *inputs: Shape) -> Shape:
        """`c h w -> filters h' w'`, `t c -> t' filters`."""
        (x,) = inputs
        self._check_groups(x)
        assert isinstance(self.padding, tuple)
        for extra, stride, dilation in zip(
            self.output_padding, self.stride, self.dilation, strict=True
        ):
            if extra >= max(stride, dilation):
                raise Rejected(
                    "output-padding-too-large",
                    f"`output_padding` is {extra}, but the stride is {stride}",
                    param="output_padding",
                    help="it must be less than the stride or the dilation",
                )
        sizes = [
            (size - 1) * s - before - after + window_extent(k, d) + extra
            for size, (before, after), k, s, d, extra in zip(
                x.spatial,
                split_pads(self.padding),
                self.kernel,
                self.stride,
                self.dilation,
                self.output_padding,
                strict=True,
            )
        ]
        if any(below(size, 1) for size in sizes):
            raise Rejected(
                "empty-output",
                f"`{self.kind}` would give an output of {' x '.join(map(str, sizes))}",
                param="padding",
                help="use less padding",
            )
        return x.with_map(self.filters, *sizes)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """`weight (c, filters / groups, *kernel)`, `bias (filters)`."""
        (x,) = inputs
        return self._weights((x.axis("c"), self.filters // self.groups, *self.kernel))

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """One per tap of each input element."""
        del output
        (x,) = inputs
        return x.elements * (self.filters // self.groups) * prod(self.kernel)
