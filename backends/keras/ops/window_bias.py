"""What attention within windows knows of where things stand: how Keras realises it."""

from __future__ import annotations

from netspec.backends.keras.initial import initial, split_limit
from netspec.backends.keras.layer import Held, Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr
from netspec.ops.window_bias import WindowBias
from netspec.shape import Shape


def _limit(op: WindowBias, _x: Shape) -> str | None:
    return split_limit(op.init)


@ROWS.row(WindowBias, limit=_limit)
def window_bias(op: WindowBias, x: Shape) -> Layer:
    """A layer of the file's own; Keras holds the image's height and width in front, whatever its axes are."""
    (weight,) = op.weights(x)
    positional: dict[str, Expr] = {"heads": op.heads, "window": op.size}
    start = initial(weight.init.settled(weight.shape))
    keywords: dict[str, Expr] = {"shift": op.shift, "initializer": start}
    made = Call("WindowBias", positional, keywords, {"shift": (0, 0)})
    return single(made, held={"": (Held("weight", split=weight.shape, order=(0, 1)),)})
