"""Scales and shifts of each channel: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.initial import initial
from netspec.backends.keras.layer import Held, Layer, expression, single
from netspec.backends.keras.rows import ROWS, with_channels_last
from netspec.emit.source import Call, Expr, Infix, arg
from netspec.ops.affine import Affine, Normalize, Rescale, Scale, Shift
from netspec.shape import Shape


def _start(op: Scale | Shift, x: Shape) -> dict[str, Expr]:
    (weight,) = op.weights(x)
    return {"initializer": initial(weight.init)}


def _vector(variable: str, x: Shape) -> tuple[Held, ...]:
    """A variable that has the channels alone."""
    return (Held(variable, (x.axis("c"),), (0,)),)


@ROWS.row(Scale)
def scale(op: Scale, x: Shape) -> Layer:
    """A layer of the file."""
    made = Call("Scale", {}, _start(op, x), {"initializer": "ones"})
    return with_channels_last(made, x, {"": _vector("weight", x)})


@ROWS.row(Shift)
def shift(op: Shift, x: Shape) -> Layer:
    """A layer of the file."""
    made = Call("Shift", {}, _start(op, x), {"initializer": "zeros"})
    return with_channels_last(made, x, {"": _vector("bias", x)})


@ROWS.row(Affine)
def affine(_op: Affine, x: Shape) -> Layer:
    """A layer of the file."""
    holding = {name: _vector(name, x) for name in ("weight", "bias")}
    return with_channels_last(Call("Affine"), x, holding)


@ROWS.row(Normalize)
def normalize(op: Normalize, _x: Shape) -> Layer:
    """A layer of the file: Keras's own wants variances."""
    return single(Call("Normalize", {"mean": op.mean, "std": op.std}))


@ROWS.row(Rescale)
def rescale(op: Rescale, _x: Shape) -> Layer:
    """By its definition: `Rescaling` holds its numbers in float32 in every precision."""
    product = Infix("*", (arg(0), op.factor))
    if op.offset == 0:
        return expression(product)
    return expression(Infix("-" if op.offset < 0 else "+", (product, abs(op.offset))))
