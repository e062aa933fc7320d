"""Ops that trade positions for steps, windows or channels: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.ops.reshape import regroup
from netspec.backends.onnx.rows import ROWS, Operand, Site, node
from netspec.ops.positions import (
    PixelShuffle,
    PixelUnshuffle,
    Shuffle,
    Tokens,
    Untokens,
    Unwindows,
    Windows,
)

ROWS.row(Tokens, Untokens, Windows, Unwindows, Shuffle, PixelUnshuffle)(regroup)


@ROWS.row(PixelShuffle)
def pixel_shuffle(op: PixelShuffle, site: Site) -> Operand:
    """`DepthToSpace` for images, which has a mode with PyTorch's order of the channels."""
    if site.shapes[0].kind != "image":
        return regroup(op, site)
    return node("DepthToSpace", *site.inputs, blocksize=op.factor, mode="CRD")
