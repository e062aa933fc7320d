"""Fully connected layers."""

from __future__ import annotations

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.dense import Dense
from netspec.weights import Array


@ROWS.row(Dense)
def _dense(op: Dense, at: Applied) -> Result:
    (x,) = at.inputs
    weight = at.weights["weight"]
    y = x @ weight.T

    def pullback(dy: Array) -> Gradients:
        units, features = dy.reshape(-1, dy.shape[-1]), x.reshape(-1, x.shape[-1])
        weights = {"weight": units.T @ features}
        if op.bias:
            weights["bias"] = units.sum(0)
        return Gradients((dy @ weight,), weights)

    return Result(y + at.weights["bias"] if op.bias else y, pullback)
