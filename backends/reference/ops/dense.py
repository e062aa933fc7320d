"""Fully connected layers."""

from __future__ import annotations

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.dense import Dense, Tied
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


@ROWS.row(Tied)
def _tied(op: Tied, at: Applied) -> Result:
    (x,) = at.inputs
    outputs_first = op.rows == "outputs"
    weight = at.weights["weight"] if outputs_first else at.weights["weight"].T

    def pullback(dy: Array) -> Gradients:
        gradient = dy.reshape(-1, dy.shape[-1]).T @ x.reshape(-1, x.shape[-1])
        return Gradients((dy @ weight,), {"weight": gradient if outputs_first else gradient.T})

    return Result(x @ weight.T, pullback)
