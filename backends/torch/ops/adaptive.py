"""Pools over bins and over whole maps: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.ops.pool import over_map
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call, short
from netspec.ops.adaptive import AdaptiveAveragePool, AdaptiveMaxPool, GlobalMaxPool
from netspec.shape import Shape


@ROWS.row(AdaptiveAveragePool)
def adaptive_average_pool(op: AdaptiveAveragePool, _x: Shape) -> Layer:
    """PyTorch's own."""
    return Layer(Call(f"nn.AdaptiveAvgPool{len(op.sizes)}d", {"output_size": short(op.sizes)}))


@ROWS.row(AdaptiveMaxPool)
def adaptive_max_pool(op: AdaptiveMaxPool, _x: Shape) -> Layer:
    """PyTorch's own."""
    return Layer(Call(f"nn.AdaptiveMaxPool{len(op.sizes)}d", {"output_size": short(op.sizes)}))


@ROWS.row(GlobalMaxPool)
def global_max_pool(op: GlobalMaxPool, x: Shape) -> Layer:
    """The maximum over the spatial axes, whose gradient equal elements share."""
    return over_map("amax", x, op.keep)
