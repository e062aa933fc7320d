"""What a row of the interpreter is: an op's value and its pullback. Knows no op and no graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from netspec.backend import Rows
from netspec.shape import Shape
from netspec.weights import Array


class Applied(NamedTuple):
    """Where an op stands: its input arrays, their shapes without the batch axis, its weights."""

    inputs: tuple[Array, ...]
    shapes: tuple[Shape, ...]
    weights: Mapping[str, Array]
    training: bool


class Gradients(NamedTuple):
    """What a pullback gives: one array for each input, and one for each trainable weight."""

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

ROWS: Rows[Row] = Rows("reference")


def feature_axis(shape: Shape) -> int:
    """The axis of the features (`c`) in an array that has a batch axis in front."""
    return 1 + shape.axes.index("c")
