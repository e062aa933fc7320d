"""What attention knows of how far apart two steps are: how Keras realises it."""

from __future__ import annotations

from netspec.backends.keras.initial import initials
from netspec.backends.keras.layer import Held, Layer, single
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call
from netspec.ops.relative_bias import RelativeBias
from netspec.shape import Shape


@ROWS.row(RelativeBias)
def relative_bias(op: RelativeBias, x: Shape) -> Layer:
    """A small layer of the file's own."""
    sizes = {"buckets": op.buckets, "heads": op.heads}
    options = {"distance": op.distance, "causal": op.causal}
    keywords = options | initials(op.weights(x), arguments={"weight": "initializer"})
    made = Call("RelativeBias", sizes, keywords, {"distance": 128, "causal": False})
    return single(made, held={"weight": (Held("weight", order=(0, 1)),)})
