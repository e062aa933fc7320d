"""One row for each op: how Keras realises it, channels last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from netspec.backend import Rows
from netspec.backends.keras.layer import Layer, Step, chain, single
from netspec.emit.source import Call, Code, Expr, short
from netspec.ops import (
    Add,
    AveragePool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Gelu,
    GlobalAveragePool,
    LeakyRelu,
    LogSoftmax,
    Maximum,
    MaxPool,
    Mean,
    Multiply,
    Relu,
    Relu6,
    Sigmoid,
    Silu,
    Softmax,
    Subtract,
    Tanh,
)
from netspec.ops.pool import ceil_surplus
from netspec.shape import Shape, same_pads, split_pads

Row: TypeAlias = Callable[..., Layer]
Pairs: TypeAlias = list[tuple[int, int]]
ROWS: Rows[Row] = Rows("keras")

_WINDOW_DEFAULTS = {
    "strides": 1,
    "padding": "valid",
    "output_padding": None,
    "dilation_rate": 1,
    "groups": 1,
    "depth_multiplier": 1,
    "use_bias": True,
}


def _around(layer: str, pairs: Pairs) -> Call:
    """A layer that pads or crops, with its argument in the shortest form."""
    sides: Expr = tuple(pairs)
    if all(before == after for before, after in pairs):
        sides = short([before for before, _ in pairs])
    return Call(f"{layer}{len(pairs)}D", {"padding": sides})


def _has_size(pairs: Pairs) -> bool:
    return any(map(any, pairs))


def _pairs(op: Conv | ConvTranspose | MaxPool | AveragePool) -> Pairs:
    assert isinstance(op.padding, tuple)
    return split_pads(op.padding)


def _same(x: Shape, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Pairs:
    """What Keras's `padding="same"` pads."""
    return [same_pads(*axis) for axis in zip(x.spatial, kernel, stride, dilation, strict=True)]


@ROWS.row(Conv)
def conv(op: Conv, x: Shape) -> Layer:
    """Keras's own "same" is lopsided when strided, and it takes no stride together with a dilation."""
    rank, pairs = len(op.kernel), _pairs(op)
    dilated = max(op.dilation) > 1 and max(op.stride) > 1
    stride = (1,) * rank if dilated else op.stride
    same = _has_size(pairs) and pairs == _same(x, op.kernel, stride, op.dilation)
    keywords: dict[str, Expr] = {
        "strides": short(stride),
        "padding": "same" if same else "valid",
        "dilation_rate": short(op.dilation),
    }
    channels = x.axis("c")
    positional: dict[str, Expr] = {"kernel_size": short(op.kernel)}
    more: dict[str, Expr] = {"use_bias": op.bias}
    if is_depthwise(op, x):
        name, helper = "layers.DepthwiseConv2D", "depthwise_conv2d"
        more = {"depth_multiplier": op.filters // channels, **more}
    else:
        name, helper = f"layers.Conv{rank}D", f"conv{rank}d"
        positional = {"filters": op.filters, **positional}
        more = {"groups": op.groups, **more}
    steps = [("", Call(name, positional, {**keywords, **more}, _WINDOW_DEFAULTS))]
    if _has_size(pairs) and not same:
        steps.insert(0, ("pad", _around("layers.ZeroPadding", pairs)))
    if dilated:
        # A window of one element takes every n-th.
        pick = Call(f"layers.MaxPooling{rank}D", {"pool_size": 1}, {"strides": short(op.stride)})
        steps.append(("stride", pick))
    brief = Call(helper, positional, {"strides": short(op.stride), **more}, _WINDOW_DEFAULTS)
    return chain(*steps, short=brief if _is_half_padded(op, pairs) else None)


def is_depthwise(op: Conv, x: Shape) -> bool:
    """Whether Keras has a layer for it that convolves every channel apart: not for volumes, nor for unequal strides."""
    return op.groups == x.axis("c") > 1 and len(op.kernel) == 2 and len(set(op.stride)) == 1


def _is_half_padded(op: Conv, pairs: Pairs) -> bool:
    """Whether one kernel size and one stride say all about the windows."""
    (kernel, *others), (stride, *_) = op.kernel, op.stride
    return (
        {kernel, *others} == {kernel}
        and set(op.stride) == {stride}
        and set(op.dilation) == {1}
        and kernel % 2 == 1
        and set(pairs) == {(kernel // 2, kernel // 2)}
    )


def _conv_transpose_limit(op: ConvTranspose, _x: Shape) -> str | None:
    if max(op.dilation) > 1:
        return "TensorFlow's transposed convolutions take no dilation on a CPU, nor Keras's with a stride"
    return None


@ROWS.row(ConvTranspose, limit=_conv_transpose_limit)
def conv_transpose(op: ConvTranspose, _x: Shape) -> Layer:
    """The whole transpose, then cropped; Keras's "same" where the backends of Keras agree on it."""
    rank, pairs = len(op.kernel), _pairs(op)
    surplus = [kernel - stride for kernel, stride in zip(op.kernel, op.stride, strict=True)]
    extra = any(op.output_padding)
    same = (
        _has_size(pairs)
        and not extra
        and all(
            2 * before == 2 * after == over
            for (before, after), over in zip(pairs, surplus, strict=True)
        )
    )
    # Without `output_padding` Keras would fill up to the stride where the window is smaller.
    explicit = extra or min(surplus) < 0
    keywords: dict[str, Expr] = {
        "strides": short(op.stride),
        "padding": "same" if same else "valid",
        "output_padding": short(op.output_padding) if explicit else None,
        "use_bias": op.bias,
    }
    func = f"layers.Conv{rank}DTranspose"
    if op.groups > 1:
        func = f"GroupedConv{rank}DTranspose"
        keywords["groups"] = op.groups
    positional = {"filters": op.filters, "kernel_size": short(op.kernel)}
    steps = [("", Call(func, positional, keywords, _WINDOW_DEFAULTS))]
    if _has_size(pairs) and not same:
        steps.append(("crop", _around("layers.Cropping", pairs)))
    return chain(*steps)


@ROWS.row(Dense)
def dense(op: Dense, _x: Shape) -> Layer:
    """Acts on the last axis, which holds the features of vectors and sequences."""
    return single(
        Call("layers.Dense", {"units": op.units}, {"use_bias": op.bias}, {"use_bias": True})
    )


@ROWS.row(BatchNorm)
def batch_norm(op: BatchNorm, _x: Shape) -> Layer:
    """Keras's momentum is the weight of the old statistics."""
    keywords: dict[str, Expr] = {
        "momentum": float(1 - Decimal(repr(op.momentum))),
        "epsilon": op.eps,
        "center": op.affine,
        "scale": op.affine,
    }
    defaults = {"momentum": 0.9, "epsilon": 1e-5, "center": True, "scale": True}
    return single(Call("BatchNorm", {}, keywords, defaults))


@ROWS.row(Dropout)
def dropout(op: Dropout, _x: Shape) -> Layer:
    """Inverted dropout, as in the spec."""
    return single(Call("layers.Dropout", {"rate": op.rate}))


def _constant(layer: Call) -> Row:
    def row(_op: Any, _x: Shape) -> Layer:
        return single(layer)

    return row


for _op, _layer in (
    (Relu, Call("layers.ReLU")),
    (Relu6, Call("layers.ReLU", {}, {"max_value": 6})),
    (Sigmoid, Call("layers.Activation", {"activation": "sigmoid"})),
    (Tanh, Call("layers.Activation", {"activation": "tanh"})),
    (Silu, Call("layers.Activation", {"activation": "silu"})),
    (Softmax, Call("layers.Softmax")),
    (LogSoftmax, Call("layers.Activation", {"activation": "log_softmax"})),
):
    ROWS.row(_op)(_constant(_layer))


@ROWS.row(LeakyRelu)
def leaky_relu(op: LeakyRelu, _x: Shape) -> Layer:
    """Keras's default slope is 0.3."""
    return single(Call("layers.LeakyReLU", {}, {"negative_slope": op.slope}))


@ROWS.row(Gelu)
def gelu(op: Gelu, _x: Shape) -> Layer:
    """Keras's activation is exact by default."""
    form: Expr = Code("gelu_tanh") if op.form == "tanh" else "gelu"
    return single(Call("layers.Activation", {"activation": form}))


def _surplus(op: MaxPool | AveragePool, x: Shape) -> Pairs:
    """What `ceil` lets the last windows see beyond the padding."""
    assert op.stride is not None
    axes = zip(x.spatial, op.kernel, op.stride, _pairs(op), strict=True)
    return [(0, ceil_surplus(*axis) if op.ceil else 0) for axis in axes]


def _sum(a: Pairs, b: Pairs) -> Pairs:
    return [(a0 + b0, a1 + b1) for (a0, a1), (b0, b1) in zip(a, b, strict=True)]


def _pool(func: str, op: MaxPool | AveragePool, **keywords: Expr) -> Call:
    assert op.stride is not None
    kernel = short(op.kernel)
    return Call(
        f"{func}{len(op.kernel)}D",
        {"pool_size": kernel},
        {"strides": short(op.stride), **keywords},
        {"strides": kernel, "padding": "valid"},
    )


@ROWS.row(MaxPool)
def max_pool(op: MaxPool, x: Shape) -> Layer:
    """Padding is minus infinity, as in Keras's own "same"."""
    assert op.stride is not None
    pairs = _sum(_pairs(op), _surplus(op, x))
    if not _has_size(pairs):
        return single(_pool("layers.MaxPooling", op))
    if pairs == _same(x, op.kernel, op.stride, (1,) * len(op.kernel)):
        return single(_pool("layers.MaxPooling", op, padding="same"))
    return chain(("pad", _around("LowPadding", pairs)), ("", _pool("layers.MaxPooling", op)))


@ROWS.row(AveragePool)
def average_pool(op: AveragePool, x: Shape) -> Layer:
    """Padding that counts is a layer of its own; of what does not count, Keras's "same" knows the even kind.

    Where "same" is lopsided, Keras counts it on some of its backends.
    """
    assert op.stride is not None
    none = [(0, 0)] * len(op.kernel)
    counted, uncounted = (_pairs(op), none) if op.count_padding else (none, _pairs(op))
    uncounted = _sum(uncounted, _surplus(op, x))
    steps = [("pad", _around("layers.ZeroPadding", counted))] if _has_size(counted) else []
    if not _has_size(uncounted):
        pool = _pool("layers.AveragePooling", op)
    elif (
        not steps
        and uncounted == _same(x, op.kernel, op.stride, (1,) * len(op.kernel))
        and all(before == after for before, after in uncounted)
    ):
        pool = _pool("layers.AveragePooling", op, padding="same")
    else:
        pool = _pool("PartialAveragePooling", op, margins=tuple(uncounted))
    return chain(*steps, ("", pool))


@ROWS.row(GlobalAveragePool)
def global_average_pool(_op: GlobalAveragePool, x: Shape) -> Layer:
    """The mean over the spatial axes."""
    return single(Call(f"layers.GlobalAveragePooling{len(x.spatial)}D"))


@ROWS.row(Flatten)
def flatten(_op: Flatten, x: Shape) -> Layer:
    """The spec's order has the channels first."""
    rank = len(x.spatial)
    if rank == 0 or x.axis("c") in (1, x.elements):
        return single(Call("layers.Flatten"))
    first = Call("layers.Permute", {"dims": (rank + 1, *range(1, rank + 1))})
    return chain(("permute", first), ("", Call("layers.Flatten")))


def _merge(func: str) -> Row:
    def row(_op: Any, *xs: Shape) -> Layer:
        return single(Call(func), len(xs))

    return row


ROWS.row(Add)(_merge("layers.Add"))
ROWS.row(Maximum)(_merge("layers.Maximum"))
ROWS.row(Mean)(_merge("layers.Average"))


@ROWS.row(Subtract)
def subtract(_op: Subtract, *xs: Shape) -> Layer:
    """Keras subtracts one tensor from one."""
    count = len(xs)
    if count == 2:
        return single(Call("layers.Subtract"), 2)
    rest = Step(Call("layers.Add"), tuple(range(1, count)), "rest")
    return Layer((rest, Step(Call("layers.Subtract"), (0, count))))


@ROWS.row(Multiply)
def multiply(_op: Multiply, *xs: Shape) -> Layer:
    """A vector beside images gets axes for their positions."""
    spatial = max(len(x.spatial) for x in xs)
    gates = [i for i, x in enumerate(xs) if len(x.spatial) < spatial]
    spread = Call("layers.Reshape", {"target_shape": Code(f"({'1, ' * spatial}-1)")})
    steps = [
        Step(spread, (i,), "gate" if len(gates) == 1 else f"gate{number}")
        for number, i in enumerate(gates, start=1)
    ]
    reads = [len(xs) + gates.index(i) if i in gates else i for i in range(len(xs))]
    return Layer((*steps, Step(Call("layers.Multiply"), tuple(reads))))


@ROWS.row(Concat)
def concat(op: Concat, *xs: Shape) -> Layer:
    """Axes count from the batch, with the channels last."""
    axes = xs[0].axes.replace("c", "") + "c"
    axis = -1 if op.axis == "c" else 1 + axes.index(op.axis)
    return single(Call("layers.Concatenate", {}, {"axis": axis}, {"axis": -1}), len(xs))
