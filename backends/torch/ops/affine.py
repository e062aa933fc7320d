"""Scales and shifts of each channel: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.initial import started
from netspec.backends.torch.layer import MODULE, Layer, X
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call, Expr, Infix, call
from netspec.ops.affine import Affine, Normalize, Rescale, Scale, Shift
from netspec.shape import Shape


def _own(op: Scale | Shift, operator: str, x: Shape) -> Layer:
    (weight,) = op.weights(x)
    tensor = call("nn.Parameter", started(weight.init, weight.shape))
    return Layer(tensor, Infix(operator, (X, MODULE)), starts=True)


@ROWS.row(Scale)
def scale(op: Scale, x: Shape) -> Layer:
    """A tensor of the module's own."""
    return _own(op, "*", x)


@ROWS.row(Shift)
def shift(op: Shift, x: Shape) -> Layer:
    """A tensor of the module's own."""
    return _own(op, "+", x)


@ROWS.row(Affine)
def affine(op: Affine, x: Shape) -> Layer:
    """A class of the file: two tensors that belong together."""
    return Layer(Call("Affine", {"shape": op.weights(x)[0].shape}))


@ROWS.row(Normalize)
def normalize(op: Normalize, x: Shape) -> Layer:
    """A class of the file, whose numbers are no part of a checkpoint."""
    positional: dict[str, Expr] = {"mean": op.mean, "std": op.std}
    behind = len(x.axes) - 1 - x.axes.index("c")
    return Layer(Call("Normalize", positional, {"ndim": behind}))


@ROWS.row(Rescale)
def rescale(op: Rescale, _x: Shape) -> Layer:
    """By its definition."""
    product = Infix("*", (X, op.factor))
    if op.offset == 0:
        return Layer(forward=product)
    sign = "-" if op.offset < 0 else "+"
    return Layer(forward=Infix(sign, (product, abs(op.offset))))
