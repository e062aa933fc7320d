"""Resampling: how Keras realises it."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr, short
from netspec.ops.resize import Resize, Upsample
from netspec.shape import Shape


def _limit(op: Upsample | Resize, x: Shape) -> str | None:
    if _repeats(op) is None and x.unknowns:
        return "its matrices for resampling need the size of the input"
    return None


def _repeats(op: Upsample | Resize) -> tuple[int, ...] | None:
    """How often each position is repeated, where this is all that happens."""
    return op.whole_factors if isinstance(op, Upsample) and op.mode == "nearest" else None


@ROWS.row(Upsample, Resize, limit=_limit)
def resample(op: Upsample | Resize, x: Shape) -> Layer:
    """Keras's own layer repeats; what interpolates in it computes in float32, and knows one rule for corners."""
    rank = len(x.spatial)
    if (repeats := _repeats(op)) is not None:
        return single(Call(f"layers.UpSampling{rank}D", {"size": short(repeats)}))
    keywords: dict[str, Expr] = {"mode": op.mode, "corners": op.corners}
    sizes = op.infer(x).spatial
    return single(Call("Resampling", {"sizes": sizes}, keywords, {"corners": "half"}))
