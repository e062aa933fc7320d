"""Elementwise functions and softmax. At a kink the derivative is the smaller one, as in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from netspec.backends.reference.rows import (
    ROWS,
    Applied,
    Gradients,
    Result,
    axis_of,
    feature_axis,
    pointwise,
)
from netspec.ops.activation.lines import Hardshrink, HardSigmoid, HardTanh, Softshrink, Threshold
from netspec.ops.activation.rectifiers import LeakyRelu, Prelu, Relu, Relu6
from netspec.ops.activation.sigmoids import Sigmoid, Tanh
from netspec.ops.activation.smooth import (
    Celu,
    Elu,
    Gelu,
    HardSwish,
    LogSigmoid,
    Mish,
    QuickGelu,
    ReluSquared,
    Selu,
    Silu,
    Softplus,
    Softsign,
    Squareplus,
    Tanhshrink,
)
from netspec.ops.activation.softmax import LogSoftmax, Softmax
from netspec.weights import Array


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)), exact in both tails."""
    small = np.exp(-np.abs(x))
    rising: Array = np.where(x >= 0, 1, small) / (1 + small)
    return rising


def normal_cdf(x: Array) -> Array:
    """Phi(x) to the last digits of float64. NumPy has no erf; C's takes 0.1 us an element."""
    scaled = np.ravel(x).astype(np.float64) * -math.sqrt(0.5)
    tails = np.fromiter(map(math.erfc, memoryview(scaled.data)), np.float64, scaled.size)
    return (tails / 2).astype(x.dtype).reshape(x.shape)


_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848


@pointwise(Relu)
def _relu(_: Relu, x: Array) -> tuple[Array, Array]:
    return np.maximum(x, 0), x > 0


@pointwise(Relu6)
def _relu6(_: Relu6, x: Array) -> tuple[Array, Array]:
    return np.clip(x, 0, 6), (x > 0) & (x < 6)


@pointwise(ReluSquared)
def _relu_squared(_: ReluSquared, x: Array) -> tuple[Array, Array]:
    y = np.maximum(x, 0)
    return y * y, 2 * y


@pointwise(LeakyRelu)
def _leaky_relu(op: LeakyRelu, x: Array) -> tuple[Array, Array]:
    slope = np.where(x > 0, 1, np.asarray(op.slope, x.dtype))
    return x * slope, slope


@pointwise(Elu)
def _elu(op: Elu, x: Array) -> tuple[Array, Array]:
    return _exponential(x, op.alpha, 1.0)


@pointwise(Selu)
def _selu(_: Selu, x: Array) -> tuple[Array, Array]:
    y, slope = _exponential(x, _SELU_ALPHA, 1.0)
    return _SELU_SCALE * y, _SELU_SCALE * slope


@pointwise(Celu)
def _celu(op: Celu, x: Array) -> tuple[Array, Array]:
    return _exponential(x, op.alpha, op.alpha)


def _exponential(x: Array, alpha: float, scale: float) -> tuple[Array, Array]:
    """X where x > 0, else alpha * (exp(x / scale) - 1)."""
    low = np.minimum(x, 0) / scale
    y = np.where(x > 0, x, alpha * np.expm1(low))
    return y, np.where(x > 0, 1, alpha / scale * np.exp(low))


@pointwise(Sigmoid)
def _sigmoid(_: Sigmoid, x: Array) -> tuple[Array, Array]:
    y = logistic(x)
    return y, y * (1 - y)


@pointwise(LogSigmoid)
def _log_sigmoid(_: LogSigmoid, x: Array) -> tuple[Array, Array]:
    return -np.logaddexp(0, -x), logistic(-x)


@pointwise(Softplus)
def _softplus(op: Softplus, x: Array) -> tuple[Array, Array]:
    return np.logaddexp(0, op.beta * x) / op.beta, logistic(op.beta * x)


@pointwise(Tanh)
def _tanh(_: Tanh, x: Array) -> tuple[Array, Array]:
    y = np.tanh(x)
    return y, 1 - y * y


@pointwise(Tanhshrink)
def _tanhshrink(_: Tanhshrink, x: Array) -> tuple[Array, Array]:
    y = np.tanh(x)
    return x - y, y * y


@pointwise(Silu)
def _silu(_: Silu, x: Array) -> tuple[Array, Array]:
    return silu_and_slope(x)


def silu_and_slope(x: Array) -> tuple[Array, Array]:
    """X * sigmoid(x), and its derivative."""
    gate = logistic(x)
    return x * gate, gate * (1 + x * (1 - gate))


@pointwise(QuickGelu)
def _quick_gelu(_: QuickGelu, x: Array) -> tuple[Array, Array]:
    gate = logistic(1.702 * x)
    return x * gate, gate * (1 + 1.702 * x * (1 - gate))


@pointwise(Mish)
def _mish(_: Mish, x: Array) -> tuple[Array, Array]:
    gate = np.tanh(np.logaddexp(0, x))
    return x * gate, gate + x * (1 - gate * gate) * logistic(x)


@pointwise(HardSigmoid)
def _hard_sigmoid(_: HardSigmoid, x: Array) -> tuple[Array, Array]:
    return np.clip(x + 3, 0, 6) / 6, (np.abs(x) < 3) / np.asarray(6, x.dtype)


@pointwise(HardSwish)
def _hard_swish(_: HardSwish, x: Array) -> tuple[Array, Array]:
    return x * np.clip(x + 3, 0, 6) / 6, np.where(np.abs(x) < 3, (2 * x + 3) / 6, x > 0)


@pointwise(HardTanh)
def _hard_tanh(_: HardTanh, x: Array) -> tuple[Array, Array]:
    return np.clip(x, -1, 1), np.abs(x) < 1


@pointwise(Softsign)
def _softsign(_: Softsign, x: Array) -> tuple[Array, Array]:
    under = 1 + np.abs(x)
    return x / under, 1 / (under * under)


@pointwise(Softshrink)
def _softshrink(op: Softshrink, x: Array) -> tuple[Array, Array]:
    return np.sign(x) * np.maximum(np.abs(x) - op.threshold, 0), np.abs(x) > op.threshold


@pointwise(Hardshrink)
def _hardshrink(op: Hardshrink, x: Array) -> tuple[Array, Array]:
    stays = np.abs(x) > op.threshold
    return x * stays, stays


@pointwise(Threshold)
def _threshold(op: Threshold, x: Array) -> tuple[Array, Array]:
    return np.where(x > op.threshold, x, op.value), x > op.threshold


@pointwise(Squareplus)
def _squareplus(op: Squareplus, x: Array) -> tuple[Array, Array]:
    root = np.sqrt(x * x + op.b)
    return (x + root) / 2, (1 + x / root) / 2


@ROWS.row(Gelu)
def _gelu(op: Gelu, at: Applied) -> Result:
    (x,) = at.inputs
    y, slope = gelu_and_slope(x, op.form)
    return Result(y, lambda dy: Gradients((dy * slope(),)))


def gelu_and_slope(x: Array, form: str) -> tuple[Array, Callable[[], Array]]:
    """`gelu` of x in one of its forms, and what gives its derivative."""
    if form == "exact":
        phi = normal_cdf(x)

        def exact() -> Array:
            density: Array = np.exp(x * x / -2) / math.sqrt(2 * math.pi)
            slope: Array = phi + x * density
            return slope

        return x * phi, exact
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    bend = np.tanh(scale * (x + cubic * x**3))

    def by_tanh() -> Array:
        inner = scale * (1 + 3 * cubic * x * x)
        slope: Array = (1 + bend + x * (1 - bend * bend) * inner) / 2
        return slope

    return x * (1 + bend) / 2, by_tanh


@ROWS.row(Prelu)
def _prelu(_: Prelu, at: Applied) -> Result:
    (x,) = at.inputs
    channels = feature_axis(at.shapes[0])
    others = tuple(axis for axis in range(x.ndim) if axis != channels)
    slope = np.where(x > 0, 1, np.expand_dims(at.weights["weight"], others))

    def pullback(dy: Array) -> Gradients:
        by_channel = (dy * np.minimum(x, 0)).sum(others)
        shared = at.weights["weight"].shape != by_channel.shape
        weight = by_channel.sum(keepdims=True) if shared else by_channel
        return Gradients((dy * slope,), {"weight": weight})

    return Result(x * slope, pullback)


@ROWS.row(Softmax)
def _softmax(op: Softmax, at: Applied) -> Result:
    axis = axis_of(at.shapes[0], op.axis)
    y = np.exp(_stable(at.inputs[0], axis))
    return Result(y, lambda dy: Gradients((y * (dy - np.sum(dy * y, axis, keepdims=True)),)))


@ROWS.row(LogSoftmax)
def _log_softmax(op: LogSoftmax, at: Applied) -> Result:
    axis = axis_of(at.shapes[0], op.axis)
    y = _stable(at.inputs[0], axis)
    return Result(y, lambda dy: Gradients((dy - np.exp(y) * np.sum(dy, axis, keepdims=True),)))


def _stable(x: Array, axis: int) -> Array:
    shifted = x - np.max(x, axis, keepdims=True)
    y: Array = shifted - np.log(np.sum(np.exp(shifted), axis, keepdims=True))
    return y
