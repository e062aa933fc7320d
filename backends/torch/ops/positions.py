"""Ops that trade positions for steps, windows or channels: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.ops.reshape import regroup
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.positions import (
    PixelShuffle,
    PixelUnshuffle,
    Shuffle,
    Tokens,
    Untokens,
    Unwindows,
    Windows,
)
from netspec.shape import Shape

ROWS.row(Tokens, Untokens, Windows, Unwindows)(regroup)


@ROWS.row(Shuffle)
def shuffle(op: Shuffle, x: Shape) -> Layer:
    """PyTorch's module takes images and volumes."""
    if x.kind not in ("image", "volume"):
        return regroup(op, x)
    return Layer(Call("nn.ChannelShuffle", {"groups": op.groups}))


@ROWS.row(PixelShuffle)
def pixel_shuffle(op: PixelShuffle, x: Shape) -> Layer:
    """PyTorch's module takes images."""
    if x.kind != "image":
        return regroup(op, x)
    return Layer(Call("nn.PixelShuffle", {"upscale_factor": op.factor}))


@ROWS.row(PixelUnshuffle)
def pixel_unshuffle(op: PixelUnshuffle, x: Shape) -> Layer:
    """PyTorch's module takes images."""
    if x.kind != "image":
        return regroup(op, x)
    return Layer(Call("nn.PixelUnshuffle", {"downscale_factor": op.factor}))
