"""Convolutions: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer, X
from netspec.backends.torch.rows import ROWS, applied_to, around, padded_at_run_time, symmetric
from netspec.emit.source import Call, Expr, call, short
from netspec.ops.conv import Conv, ConvTranspose, StandardizedConv
from netspec.shape import Shape, split_pads

_CONV_DEFAULTS = {
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "dilation": 1,
    "groups": 1,
    "bias": True,
    "padding_mode": "zeros",
    "eps": 1e-5,
}


@ROWS.row(Conv)
def conv(op: Conv, x: Shape) -> Layer:
    """That of time with the past alone is a class of the file."""
    return _correlation(op, x, "CausalConv1d" if op.is_causal else f"nn.Conv{len(op.kernel)}d")


@ROWS.row(StandardizedConv)
def standardized_conv(op: StandardizedConv, x: Shape) -> Layer:
    """A class of the file, which has the layer's own weights."""
    return _correlation(op, x, f"WSConv{len(op.kernel)}d", eps=op.eps)


def _correlation(op: Conv | StandardizedConv, x: Shape, func: str, **more: Expr) -> Layer:
    """Uneven padding is a step of its own: PyTorch's convolutions pad both sides alike."""
    pads = op.padding if isinstance(op.padding, tuple) else None
    even = pads is not None and symmetric(pads)
    module = Call(
        func,
        {"in_channels": x.axis("c"), "out_channels": op.filters, "kernel_size": short(op.kernel)},
        {
            "stride": short(op.stride),
            "padding": short(pads[: len(op.kernel)]) if pads and even else 0,
            "dilation": short(op.dilation),
            "groups": op.groups,
            "bias": op.bias,
            "padding_mode": op.mode if even else "zeros",
            **more,
        },
        _CONV_DEFAULTS,
    )
    if even or func == "CausalConv1d":
        return Layer(module, heavy=True, gives_up=True)
    sides: Expr = (
        padded_at_run_time(X, op.kernel, op.stride, op.dilation) if pads is None else around(pads)
    )
    mode: dict[str, Expr] = {} if op.mode == "zeros" else {"mode": op.mode}
    return Layer(module, applied_to(call("F.pad", X, sides, **mode)), heavy=True, gives_up=True)


@ROWS.row(ConvTranspose)
def conv_transpose(op: ConvTranspose, x: Shape) -> Layer:
    """What must be cut from one side only is cut afterwards, by negative padding."""
    assert isinstance(op.padding, tuple)
    pairs = split_pads(op.padding)
    common = [min(pair) for pair in pairs]
    module = Call(
        f"nn.ConvTranspose{len(op.kernel)}d",
        {"in_channels": x.axis("c"), "out_channels": op.filters, "kernel_size": short(op.kernel)},
        {
            "stride": short(op.stride),
            "padding": short(common),
            "output_padding": short(op.output_padding),
            "groups": op.groups,
            "bias": op.bias,
            "dilation": short(op.dilation),
        },
        _CONV_DEFAULTS,
    )
    if symmetric(op.padding):
        return Layer(module, heavy=True, gives_up=True)
    cut = [(p - before, p - after) for p, (before, after) in zip(common, pairs, strict=True)]
    sides = tuple(side for pair in reversed(cut) for side in pair)
    return Layer(module, call("F.pad", applied_to(X), sides), heavy=True)
