"""Convolutions: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.initial import DEFAULTS, initials, split_limit
from netspec.backends.keras.layer import USUAL, Held, Layer, chain
from netspec.backends.keras.rows import (
    ROWS,
    Pairs,
    around,
    has_size,
    pad_pairs,
    same_padding,
)
from netspec.emit.source import Call, Expr, short
from netspec.ops.conv import Conv, ConvTranspose, StandardizedConv
from netspec.shape import Shape

_WINDOW_DEFAULTS = {
    "strides": 1,
    "padding": "valid",
    "output_padding": None,
    "dilation_rate": 1,
    "groups": 1,
    "depth_multiplier": 1,
    "use_bias": True,
    "eps": 1e-5,
    **DEFAULTS,
    "depthwise_initializer": "glorot_uniform",
}


def _conv_limit(op: Conv | StandardizedConv, x: Shape) -> str | None:
    if op.padding == "same" and max(op.dilation) > 1:
        return (
            "Keras takes no stride together with a dilation, and a size is known only at run time"
        )
    depthwise = isinstance(op, Conv) and _is_depthwise(op.settle(x), x)
    return split_limit(op.init) if depthwise else None


@ROWS.row(Conv, limit=_conv_limit)
def conv(op: Conv, x: Shape) -> Layer:
    """Depthwise where Keras has a layer for that."""
    return _correlation(op, x, _is_depthwise(op, x))


@ROWS.row(StandardizedConv, limit=_conv_limit)
def standardized_conv(op: StandardizedConv, x: Shape) -> Layer:
    """A class of the file, which has the layer's own weights."""
    return _correlation(op, x, depthwise=False)


def _correlation(op: Conv | StandardizedConv, x: Shape, depthwise: bool) -> Layer:
    """Keras's own "same" is lopsided when strided, and it takes no stride together with a dilation."""
    rank, pairs = len(op.kernel), pad_pairs(op.padding)
    dilated = max(op.dilation) > 1 and max(op.stride) > 1
    stride = (1,) * rank if dilated else op.stride
    zeros = op.mode == "zeros"
    same = op.padding == "same" or (
        zeros and has_size(pairs) and pairs == same_padding(x, op.kernel, stride, op.dilation)
    )
    # Only Keras's plain convolution knows "causal".
    causal = op.is_causal and isinstance(op, Conv) and not depthwise
    keywords: dict[str, Expr] = {
        "strides": short(stride),
        "padding": "same" if same else "causal" if causal else "valid",
        "dilation_rate": short(op.dilation),
    }
    channels = x.axis("c")
    positional: dict[str, Expr] = {"kernel_size": short(op.kernel)}
    more: dict[str, Expr] = {"use_bias": op.bias, **initials(op.weights(x))}
    held = USUAL
    brief = _is_half_padded(op, pairs)
    if depthwise:
        name, helper = f"layers.DepthwiseConv{rank}D", f"depthwise_conv{rank}d"
        multiplier = op.filters // channels
        kernel_name = {"weight": "depthwise_initializer", "bias": "bias_initializer"}
        initial = initials(op.weights(x), own_fans=True, arguments=kernel_name)
        more = {"depth_multiplier": multiplier, "use_bias": op.bias, **initial}
        window = tuple(range(2, 2 + rank))
        kernel = Held("kernel", (channels, multiplier, *op.kernel), (*window, 0, 1))
        held = {**USUAL, "weight": (kernel,)}
    else:
        name, helper = f"layers.Conv{rank}D", f"conv{rank}d"
        positional = {"filters": op.filters, **positional}
        more = {"groups": op.groups, **more}
    if isinstance(op, StandardizedConv):
        name, brief = f"WSConv{rank}D", False
        more["eps"] = op.eps
    steps = [("", Call(name, positional, {**keywords, **more}, _WINDOW_DEFAULTS))]
    if has_size(pairs) and not same and not causal:
        border = Call("BorderPadding", {"padding": tuple(pairs)}, {"mode": op.mode})
        steps.insert(0, ("pad", around("layers.ZeroPadding", pairs) if zeros else border))
    if dilated:
        # A window of one element takes every n-th.
        pick = Call(f"layers.MaxPooling{rank}D", {"pool_size": 1}, {"strides": short(op.stride)})
        steps.append(("stride", pick))
    detour = Call(helper, positional, {"strides": short(op.stride), **more}, _WINDOW_DEFAULTS)
    return chain(*steps, short=detour if brief else None, held=held)


def _is_depthwise(op: Conv, x: Shape) -> bool:
    """Whether Keras has a layer for it that convolves every channel apart: not for volumes, nor for unequal strides."""
    return op.groups == x.axis("c") > 1 and len(op.kernel) < 3 and len(set(op.stride)) == 1


def _is_half_padded(op: Conv | StandardizedConv, pairs: Pairs) -> bool:
    """Whether one kernel size and one stride say all about the windows, and zeros surround the input."""
    (kernel, *others), (stride, *_) = op.kernel, op.stride
    return (
        op.mode == "zeros"
        and {kernel, *others} == {kernel}
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
def conv_transpose(op: ConvTranspose, x: Shape) -> Layer:
    """The whole transpose, then cropped; Keras's "same" where the backends of Keras agree on it."""
    rank, pairs = len(op.kernel), pad_pairs(op.padding)
    surplus = [kernel - stride for kernel, stride in zip(op.kernel, op.stride, strict=True)]
    extra = any(op.output_padding)
    same = (
        has_size(pairs)
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
        **initials(op.weights(x)),
    }
    func = f"layers.Conv{rank}DTranspose"
    if op.groups > 1:
        func = f"GroupedConv{rank}DTranspose"
        keywords["groups"] = op.groups
    positional = {"filters": op.filters, "kernel_size": short(op.kernel)}
    steps = [("", Call(func, positional, keywords, _WINDOW_DEFAULTS))]
    if has_size(pairs) and not same:
        steps.append(("crop", around("layers.Cropping", pairs)))
    return chain(*steps)
