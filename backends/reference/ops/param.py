"""The network's own tensors, repeated for every example."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.param import Const, Param
from netspec.weights import Array


@ROWS.row(Param)
def _param(_: Param, at: Applied) -> Result:
    weight = at.weights[""]
    return Result(
        _repeated(weight, at),
        lambda dy: Gradients((_no_gradient(at, dy),), {"": dy.sum(0, keepdims=True)}),
    )


@ROWS.row(Const)
def _const(op: Const, at: Applied) -> Result:
    values = np.array([op.values], np.float32).astype(at.precision)
    return Result(_repeated(values, at), lambda dy: Gradients((_no_gradient(at, dy),)))


def _repeated(tensor: Array, at: Applied) -> Array:
    return np.broadcast_to(tensor, (len(at.inputs[0]), *tensor.shape[1:]))


def _no_gradient(at: Applied, dy: Array) -> Array:
    return np.zeros(at.inputs[0].shape, dy.dtype)
