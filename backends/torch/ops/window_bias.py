"""What attention within windows knows of where things stand: how PyTorch realises it."""

from __future__ import annotations

from netspec.backends.torch.initial import started
from netspec.backends.torch.layer import MODULE, Layer, X
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Expr, Items, call
from netspec.ops.window_bias import WindowBias
from netspec.shape import Shape


@ROWS.row(WindowBias)
def window_bias(op: WindowBias, x: Shape) -> Layer:
    """The table is an `nn.Parameter`, of which a function of the file makes the biases."""
    (weight,) = op.weights(x)
    given: list[Expr] = [call("size", 0, on=X), MODULE, Items(op.size)]
    if any(op.shift):
        size = Items((x.axis("h"), x.axis("w")))
        value = call("shifted_window_bias", *given, size, Items(op.shift))
    else:
        value = call("window_bias", *given)
    return Layer(call("nn.Parameter", started(weight.init, weight.shape)), value)
