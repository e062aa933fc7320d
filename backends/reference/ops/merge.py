"""Ops that make one tensor of several. None has weights."""

from __future__ import annotations

from math import prod

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.merge import Add, Concat, Maximum, Mean, Multiply, Stack, Subtract
from netspec.weights import Array


@ROWS.row(Add)
def _add(_: Add, at: Applied) -> Result:
    return Result(sum(at.inputs[1:], at.inputs[0]), lambda dy: Gradients((dy,) * len(at.inputs)))


@ROWS.row(Subtract)
def _subtract(_: Subtract, at: Applied) -> Result:
    first, *others = at.inputs
    return Result(first - sum(others), lambda dy: Gradients((dy, *(-dy for _ in others))))


@ROWS.row(Mean)
def _mean(_: Mean, at: Applied) -> Result:
    count = len(at.inputs)
    return Result(
        sum(at.inputs[1:], at.inputs[0]) / count, lambda dy: Gradients((dy / count,) * count)
    )


@ROWS.row(Maximum)
def _maximum(_: Maximum, at: Applied) -> Result:
    """Of equal branches the first is the largest, and takes the whole gradient."""
    winner = np.argmax(np.stack(at.inputs), axis=0)
    branches = range(len(at.inputs))
    return Result(
        np.choose(winner, at.inputs),
        lambda dy: Gradients(tuple(dy * (winner == branch) for branch in branches)),
    )


@ROWS.row(Multiply)
def _multiply(_: Multiply, at: Applied) -> Result:
    """A gate `(n, c)` is stretched over the spatial axes."""
    whole = max(at.shapes, key=lambda shape: len(shape.sizes))
    others = tuple(1 + i for i, axis in enumerate(whole.axes) if axis != "c")
    stretched = [others if shape != whole else () for shape in at.shapes]
    factors = [np.expand_dims(x, axes) for x, axes in zip(at.inputs, stretched, strict=True)]

    def pullback(dy: Array) -> Gradients:
        gradients = []
        for index, axes in enumerate(stretched):
            full = prod(factors[:index] + factors[index + 1 :], start=dy)
            gradients.append(full.sum(axes))
        return Gradients(tuple(gradients))

    return Result(prod(factors[1:], start=factors[0]), pullback)


@ROWS.row(Concat)
def _concat(op: Concat, at: Applied) -> Result:
    axis = 1 + at.shapes[0].axes.index(op.axis)
    ends = np.cumsum([x.shape[axis] for x in at.inputs])[:-1]
    return Result(
        np.concatenate(at.inputs, axis), lambda dy: Gradients(tuple(np.split(dy, ends, axis)))
    )


@ROWS.row(Stack)
def _stack(op: Stack, at: Applied) -> Result:
    axis = 1 + op.infer(*at.shapes).axes.index(op.axis)
    return Result(
        np.stack(at.inputs, axis),
        lambda dy: Gradients(tuple(np.moveaxis(dy, axis, 0))),
    )
