"""Element functions."""

from __future__ import annotations

import math

import numpy as np

from netspec.backends.reference.rows import pointwise
from netspec.ops.math import (
    Abs,
    Ceil,
    Clamp,
    Cos,
    Erf,
    Exp,
    Floor,
    Log,
    Negative,
    Plus,
    Power,
    Reciprocal,
    Round,
    Rsqrt,
    Sign,
    Sin,
    Sqrt,
    Square,
    Times,
)
from netspec.weights import Array


@pointwise(Times)
def _times(op: Times, x: Array) -> tuple[Array, Array]:
    return op.k * x, np.full_like(x, op.k)


@pointwise(Plus)
def _plus(op: Plus, x: Array) -> tuple[Array, Array]:
    return x + op.k, np.ones_like(x)


@pointwise(Power)
def _power(op: Power, x: Array) -> tuple[Array, Array]:
    return x**op.k, op.k * x ** (op.k - 1)


@pointwise(Clamp)
def _clamp(op: Clamp, x: Array) -> tuple[Array, Array]:
    low = -math.inf if op.low is None else op.low
    high = math.inf if op.high is None else op.high
    return np.clip(x, low, high), (low <= x) & (x <= high)


@pointwise(Exp)
def _exp(_: Exp, x: Array) -> tuple[Array, Array]:
    y = np.exp(x)
    return y, y


@pointwise(Log)
def _log(_: Log, x: Array) -> tuple[Array, Array]:
    return np.log(x), 1 / x


@pointwise(Sqrt)
def _sqrt(_: Sqrt, x: Array) -> tuple[Array, Array]:
    y = np.sqrt(x)
    return y, 0.5 / y


@pointwise(Rsqrt)
def _rsqrt(_: Rsqrt, x: Array) -> tuple[Array, Array]:
    y = 1 / np.sqrt(x)
    return y, -0.5 * y / x


@pointwise(Square)
def _square(_: Square, x: Array) -> tuple[Array, Array]:
    return x * x, 2 * x


@pointwise(Abs)
def _abs(_: Abs, x: Array) -> tuple[Array, Array]:
    return np.abs(x), np.sign(x)


@pointwise(Negative)
def _negative(_: Negative, x: Array) -> tuple[Array, Array]:
    return -x, np.full_like(x, -1)


@pointwise(Reciprocal)
def _reciprocal(_: Reciprocal, x: Array) -> tuple[Array, Array]:
    return 1 / x, -1 / (x * x)


@pointwise(Sign)
def _sign(_: Sign, x: Array) -> tuple[Array, Array]:
    return np.sign(x), np.zeros_like(x)


@pointwise(Floor)
def _floor(_: Floor, x: Array) -> tuple[Array, Array]:
    return np.floor(x), np.zeros_like(x)


@pointwise(Ceil)
def _ceil(_: Ceil, x: Array) -> tuple[Array, Array]:
    return np.ceil(x), np.zeros_like(x)


@pointwise(Round)
def _round(_: Round, x: Array) -> tuple[Array, Array]:
    return np.round(x), np.zeros_like(x)


@pointwise(Sin)
def _sin(_: Sin, x: Array) -> tuple[Array, Array]:
    return np.sin(x), np.cos(x)


@pointwise(Cos)
def _cos(_: Cos, x: Array) -> tuple[Array, Array]:
    return np.cos(x), -np.sin(x)


@pointwise(Erf)
def _erf(_: Erf, x: Array) -> tuple[Array, Array]:
    flat = np.ravel(x).astype(np.float64)
    values = np.fromiter(map(math.erf, memoryview(flat.data)), np.float64, flat.size)
    return values.astype(x.dtype).reshape(x.shape), 2 / math.sqrt(math.pi) * np.exp(-x * x)
