"""The network's own tensors: how Keras realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.keras.initial import initial, split_limit
from netspec.backends.keras.layer import Held, Layer, single
from netspec.backends.keras.rows import ROWS, held_axes
from netspec.emit.source import Call
from netspec.ops.param import Const, Param
from netspec.shape import Shape


def _param_limit(op: Param, _x: Shape) -> str | None:
    return split_limit(op.init)


@ROWS.row(Param, limit=_param_limit)
def param(op: Param, x: Shape) -> Layer:
    """A small layer of the file's own, without the axis of one; Keras's order of axes."""
    shape = op.infer(x)
    (weight,) = op.weights(x)
    order = tuple(shape.axes.index(letter) for letter in held_axes(shape.axes))
    start = initial(weight.init.settled(weight.shape))
    sizes = {"shape": tuple(shape.sizes[axis] for axis in order)}
    made = Call("Parameter", sizes, {"initializer": start}, {"initializer": "zeros"})
    return single(made, held={"": (Held("weight", split=shape.sizes, order=order),)})


@ROWS.row(Const)
def const(op: Const, x: Shape) -> Layer:
    """A small layer of the file's own, whose numbers are part of its configuration."""
    shape = op.infer(x)
    values: Any = op.values
    if held_axes(shape.axes) != shape.axes:
        values = _channels_last(values)
    return single(Call("Constant", {"values": values}))


def _channels_last(values: Any) -> Any:
    """Nested tuples with their first axis as the last one."""
    if isinstance(values[0], tuple):
        return tuple(_channels_last(rows) for rows in zip(*values, strict=True))
    return values
