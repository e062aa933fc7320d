"""Scales and shifts of each channel: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Held, Holding, Layer, Step, expression, single
from netspec.backends.keras.rows import ROWS, held_axes
from netspec.emit.source import Call, Infix, arg
from netspec.ops.affine import Affine, Normalize, Rescale, Scale, Shift
from netspec.shape import Shape


def _on_channels(made: Call, x: Shape, holding: Holding) -> Layer:
    """A layer of the file's own for the last axis, with the channels there."""
    held = held_axes(x.axes)
    if held[-1] == "c":
        return single(made, held=holding)
    last = held.replace("c", "") + "c"
    there, back = (
        tuple(1 + before.index(axis) for axis in after)
        for before, after in ((held, last), (last, held))
    )
    steps = (
        Step(Call("layers.Permute", {"dims": there}), (0,), "last"),
        Step(made, (1,), "scaled"),
        Step(Call("layers.Permute", {"dims": back}), (2,)),
    )
    inner = {name: tuple(h._replace(suffix="scaled") for h in ps) for name, ps in holding.items()}
    return Layer(steps, held=inner)


def _vector(variable: str, x: Shape) -> tuple[Held, ...]:
    """A variable that has the channels alone."""
    return (Held(variable, (x.axis("c"),), (0,)),)


@ROWS.row(Scale)
def scale(op: Scale, x: Shape) -> Layer:
    """A layer of the file."""
    made = Call("Scale", {}, {"init": op.init}, {"init": 1.0})
    return _on_channels(made, x, {"": _vector("weight", x)})


@ROWS.row(Shift)
def shift(op: Shift, x: Shape) -> Layer:
    """A layer of the file."""
    made = Call("Shift", {}, {"init": op.init}, {"init": 0.0})
    return _on_channels(made, x, {"": _vector("bias", x)})


@ROWS.row(Affine)
def affine(_op: Affine, x: Shape) -> Layer:
    """A layer of the file."""
    holding = {name: _vector(name, x) for name in ("weight", "bias")}
    return _on_channels(Call("Affine"), x, holding)


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
