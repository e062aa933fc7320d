"""Resampling: how PyTorch realises it."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call, Expr, short
from netspec.ops.resize import Resize, Upsample
from netspec.shape import Shape

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


@ROWS.row(Upsample, Resize)
def resample(op: Upsample | Resize, x: Shape) -> Layer:
    """A factor that is no whole number is a size here: PyTorch would resample by the factor itself."""
    keywords: dict[str, Expr] = {}
    if isinstance(op, Upsample) and op.whole_factors is not None:
        keywords["scale_factor"] = short(op.whole_factors)
    else:
        sizes = op.infer(x).spatial
        keywords["size"] = sizes if len(sizes) > 1 else sizes[0]
    rank = len(x.spatial)
    mode = {"nearest": "nearest", "linear": _LINEAR[rank], "cubic": "bicubic"}[op.mode]
    keywords |= {"mode": mode, "align_corners": True if op.corners == "align" else None}
    defaults = {"mode": "nearest", "align_corners": None}
    return Layer(Call("nn.Upsample", {}, keywords, defaults))
