"""What a row of the interpreter is: an op's value and its pullback. Knows no op and no graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from netspec.backend import Rows
from netspec.ops import Op
from netspec.shape import Shape
from netspec.weights import Array


class Applied(NamedTuple):
    """Where an op stands: its input arrays, their shapes without the batch axis, its weights.

    Floats have the `precision`; whole numbers are int64.
    """

    inputs: tuple[Array, ...]
    shapes: tuple[Shape, ...]
    weights: Mapping[str, Array]
    training: bool
    precision: str = "float64"


class Gradients(NamedTuple):
    """What a pullback gives: one array for each input, and one for each trainable weight.

    That of an input of whole numbers, and of one that has no influence, holds zeros.
    """

    inputs: tuple[Array, ...]
    weights: Mapping[str, Array] = {}


class Result(NamedTuple):
    """An op's output, its vector-Jacobian product, and the running statistics that training moved.

    `pullback` takes the output's cotangent. Every array has the precision of the inputs.
    """

    output: Array
    pullback: Callable[[Array], Gradients]
    statistics: Mapping[str, Array] = {}


Row: TypeAlias = Callable[[Any, Applied], Result]

ROWS: Rows[Row] = Rows("reference", lambda *_: None)
"""A session knows all sizes before it applies a row."""


def map_axes(shape: Shape) -> tuple[int, ...]:
    """The axes that windows move over, in an array that has a batch axis in front."""
    return tuple(1 + place for place, letter in enumerate(shape.axes) if letter != "c")


def channels_first(row: Row) -> Row:
    """A row over arrays `(n, c, *spatial)`, for inputs of any order of axes."""

    def moved(op: Any, at: Applied) -> Result:
        axis = feature_axis(at.shapes[0])
        if axis == 1:
            return row(op, at)
        inputs = tuple(np.moveaxis(x, axis, 1) for x in at.inputs)
        output, pullback, statistics = row(op, at._replace(inputs=inputs))

        def moved_pullback(dy: Array) -> Gradients:
            pulled = pullback(np.moveaxis(dy, axis, 1))
            return Gradients(
                tuple(np.moveaxis(dx, 1, axis) for dx in pulled.inputs), pulled.weights
            )

        return Result(np.moveaxis(output, 1, axis), moved_pullback, statistics)

    return moved


Pointwise: TypeAlias = Callable[[Any, Array], tuple[Array, Array]]
"""A function of each element: its values and its derivatives, given the op and the input."""


def pointwise(op: type[Op]) -> Callable[[Pointwise], Pointwise]:
    """Register the decorated function of each element as the row of an op without weights."""

    def register(function: Pointwise) -> Pointwise:
        def row(op: Any, at: Applied) -> Result:
            y, slope = function(op, at.inputs[0])
            return Result(y, lambda dy: Gradients((dy * slope,)))

        ROWS.row(op)(row)
        return function

    return register


def axis_of(shape: Shape, letter: str) -> int:
    """The axis of that letter in an array that has a batch axis in front."""
    return 1 + shape.axes.index(letter)


def feature_axis(shape: Shape) -> int:
    """The axis of the features (`c`) in an array that has a batch axis in front."""
    return axis_of(shape, "c")
