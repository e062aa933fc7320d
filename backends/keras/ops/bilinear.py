"""Products of two tensors through learned weights: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.initial import DEFAULTS, initials, split_limit
from netspec.backends.keras.layer import Held, Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr
from netspec.ops.bilinear import Bilinear
from netspec.shape import Shape


def _limit(op: Bilinear, *_xs: Shape) -> str | None:
    return split_limit(op.init)


@ROWS.row(Bilinear, limit=_limit)
def bilinear(op: Bilinear, *xs: Shape) -> Layer:
    """A layer of the file's own, whose kernel has PyTorch's axes."""
    weights = op.weights(*xs)
    keywords: dict[str, Expr] = {"use_bias": op.bias, **initials(weights, own_fans=True)}
    made = Call("Bilinear", {"units": op.units}, keywords, {"use_bias": True, **DEFAULTS})
    kernel = Held("kernel", split=weights[0].shape, order=(0, 1, 2))
    return single(made, 2, {"weight": (kernel,), "bias": (Held("bias"),)})
