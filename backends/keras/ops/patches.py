"""Windows of an image as vectors, and their sum in its place: how Keras realises them."""

from __future__ import annotations

from operator import index

from netspec.backends.keras.layer import Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr
from netspec.ops.patches import Fold, Patches, Unfold
from netspec.shape import Shape

_DEFAULTS = {"strides": (1, 1), "padding": (0, 0), "dilation_rate": (1, 1)}


def _arguments(op: Patches) -> dict[str, Expr]:
    return {"strides": op.stride, "padding": op.padding, "dilation_rate": op.dilation}


@ROWS.row(Unfold)
def unfold(op: Unfold, x: Shape) -> Layer:
    """A layer of the file's own: Keras's patches have another order, and no padding by numbers."""
    for size in x.spatial:
        index(size)
    return single(Call("Unfold", {"kernel_size": op.kernel}, _arguments(op), _DEFAULTS))


@ROWS.row(Fold)
def fold(op: Fold, _x: Shape) -> Layer:
    """A layer of the file's own."""
    positional: dict[str, Expr] = {
        "output_size": (op.height, op.width),
        "kernel_size": op.kernel,
    }
    return single(Call("Fold", positional, _arguments(op), _DEFAULTS))
