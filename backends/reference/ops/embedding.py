"""Tokens and positions."""

from __future__ import annotations

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.embedding import Embed, Positions, Sinusoidal
from netspec.weights import Array


@ROWS.row(Embed)
def _embed(_: Embed, at: Applied) -> Result:
    """Whole numbers have no gradient; the array of zeros stands for it."""
    (tokens,) = at.inputs
    table = at.weights["weight"]

    def pullback(dy: Array) -> Gradients:
        gradient = np.zeros_like(table)
        np.add.at(gradient, tokens, dy)
        return Gradients((np.zeros(tokens.shape, dy.dtype),), {"weight": gradient})

    return Result(table[tokens], pullback)


@ROWS.row(Positions)
def _positions(_: Positions, at: Applied) -> Result:
    (x,) = at.inputs
    table, steps = at.weights["weight"], x.shape[1]

    def pullback(dy: Array) -> Gradients:
        gradient = np.zeros_like(table)
        gradient[:steps] = dy.sum(0)
        return Gradients((dy,), {"weight": gradient})

    return Result(x + table[:steps], pullback)


@ROWS.row(Sinusoidal)
def _sinusoidal(op: Sinusoidal, at: Applied) -> Result:
    (x,) = at.inputs
    steps, features = x.shape[1:]
    angles = np.outer(np.arange(steps), op.base ** (-np.arange(0, features, 2) / features))
    table = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(steps, -1)[:, :features]
    return Result(x + table.astype(np.float32).astype(x.dtype), lambda dy: Gradients((dy,)))
