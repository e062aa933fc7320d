"""What attention knows of how far apart two steps are: how PyTorch realises it."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.relative_bias import RelativeBias
from netspec.shape import Shape


@ROWS.row(RelativeBias)
def relative_bias(op: RelativeBias, _x: Shape) -> Layer:
    """An `Embedding` of the file's own."""
    sizes = {"buckets": op.buckets, "heads": op.heads}
    options = {"distance": op.distance, "causal": op.causal}
    return Layer(Call("RelativeBias", sizes, options, {"distance": 128, "causal": False}))
