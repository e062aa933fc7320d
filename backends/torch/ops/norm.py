"""Normalisations: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.norm import BatchNorm
from netspec.shape import Shape


@ROWS.row(BatchNorm)
def batch_norm(op: BatchNorm, x: Shape) -> Layer:
    """PyTorch's momentum is the weight of the new batch, as in the spec."""
    keywords = {"eps": op.eps, "momentum": op.momentum, "affine": op.affine}
    defaults = {"eps": 1e-5, "momentum": 0.1, "affine": True}
    dim = max(len(x.spatial), 1)
    return Layer(Call(f"nn.BatchNorm{dim}d", {"num_features": x.axis("c")}, keywords, defaults))
