"""Convolutions: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer, X
from netspec.backends.torch.rows import ROWS, applied_to, around, padded_at_run_time, symmetric
from netspec.emit.source import Call, Expr, call, short
from netspec.ops.conv import Conv, ConvTranspose
from netspec.shape import Shape, split_pads

_CONV_DEFAULTS = {
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "dilation": 1,
    "groups": 1,
    "bias": True,
}


@ROWS.row(Conv)
def conv(op: Conv, x: Shape) -> Layer:
    """Uneven padding is a step of its own: PyTorch's convolutions pad both sides alike."""
    pads = op.padding if isinstance(op.padding, tuple) else None
    even = pads is not None and symmetric(pads)
    causal = op.is_causal and not even
    module = Call(
        "CausalConv1d" if causal else f"nn.Conv{len(op.kernel)}d",
        {"in_channels": x.axis("c"), "out_channels": op.filters, "kernel_size": short(op.kernel)},
        {
            "stride": short(op.stride),
            "padding": short(pads[: len(op.kernel)]) if pads and even else 0,
            "dilation": short(op.dilation),
            "groups": op.groups,
            "bias": op.bias,
        },
        _CONV_DEFAULTS,
    )
    if even or causal:
        return Layer(module, heavy=True)
    sides: Expr = (
        padded_at_run_time(X, op.kernel, op.stride, op.dilation) if pads is None else around(pads)
    )
    return Layer(module, applied_to(call("F.pad", X, sides)), heavy=True)


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
        return Layer(module, heavy=True)
    cut = [(p - before, p - after) for p, (before, after) in zip(common, pairs, strict=True)]
    sides = tuple(side for pair in reversed(cut) for side in pair)
    return Layer(module, call("F.pad", applied_to(X), sides), heavy=True)
