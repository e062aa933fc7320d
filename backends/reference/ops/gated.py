"""Gated linear units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from netspec.backends.reference.ops.activation import gelu_and_slope, logistic, silu_and_slope
from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result, feature_axis
from netspec.ops import Op
from netspec.ops.gated import Geglu, Glu, Reglu, Swiglu
from netspec.weights import Array

_Gate: TypeAlias = Callable[[Any, Array], tuple[Array, Array]]


def _sigmoid(_: Glu, x: Array) -> tuple[Array, Array]:
    y = logistic(x)
    return y, y * (1 - y)


def _relu(_: Reglu, x: Array) -> tuple[Array, Array]:
    return np.maximum(x, 0), x > 0


def _gelu(op: Geglu, x: Array) -> tuple[Array, Array]:
    y, slope = gelu_and_slope(x, op.form)
    return y, slope()


def _silu(_: Swiglu, x: Array) -> tuple[Array, Array]:
    return silu_and_slope(x)


def _register(kind: type[Op], gate: _Gate, place: int) -> None:
    """The row of an op whose half number `place` gates the other."""

    @ROWS.row(kind)
    def row(op: Any, at: Applied) -> Result:
        axis = feature_axis(at.shapes[0])
        halves = np.split(at.inputs[0], 2, axis)
        value = halves[1 - place]
        y, slope = gate(op, halves[place])

        def pullback(dy: Array) -> Gradients:
            pulled = [dy * y, dy * y]
            pulled[place] = dy * value * slope
            return Gradients((np.concatenate(pulled, axis),))

        return Result(value * y, pullback)


_register(Glu, _sigmoid, 1)
_register(Reglu, _relu, 1)
_register(Geglu, _gelu, 1)
_register(Swiglu, _silu, 0)
