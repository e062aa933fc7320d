"""Ops that make one tensor of several. None has weights."""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np

from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.merge import (
    Add,
    Concat,
    Divide,
    MatMul,
    Maximum,
    Mean,
    Minimum,
    Multiply,
    Stack,
    Subtract,
    whole_of,
)
from netspec.weights import Array


def _spread(at: Applied) -> list[Array]:
    """Every branch with all axes of the whole one, those that it lacks with size 1."""
    whole = whole_of(at.shapes)
    return [
        np.expand_dims(
            x, tuple(1 + i for i, axis in enumerate(whole.axes) if axis not in shape.axes)
        )
        for x, shape in zip(at.inputs, at.shapes, strict=True)
    ]


def _gathered(gradient: Array, spread: Array, x: Array) -> Array:
    """The sum over the axes along which a branch was repeated, in the branch's own shape."""
    repeated = tuple(i for i, size in enumerate(spread.shape) if size != gradient.shape[i])
    total: Array = gradient.sum(repeated, keepdims=True).reshape(x.shape)
    return total


@ROWS.row(Add)
def _add(_: Add, at: Applied) -> Result:
    terms = _spread(at)

    def pullback(dy: Array) -> Gradients:
        return Gradients(tuple(map(partial(_gathered, dy), terms, at.inputs)))

    return Result(sum(terms[1:], terms[0]), pullback)


@ROWS.row(Subtract)
def _subtract(_: Subtract, at: Applied) -> Result:
    first, *others = _spread(at)

    def pullback(dy: Array) -> Gradients:
        x, *rest = at.inputs
        taken = (-_gathered(dy, term, y) for term, y in zip(others, rest, strict=True))
        return Gradients((_gathered(dy, first, x), *taken))

    return Result(first - sum(others), pullback)


@ROWS.row(Mean)
def _mean(_: Mean, at: Applied) -> Result:
    count = len(at.inputs)
    return Result(
        sum(at.inputs[1:], at.inputs[0]) / count, lambda dy: Gradients((dy / count,) * count)
    )


@ROWS.row(Maximum)
def _maximum(_: Maximum, at: Applied) -> Result:
    """Of equal branches the first is the largest, and takes the whole gradient."""
    return _chosen(at, np.argmax(np.stack(at.inputs), axis=0))


@ROWS.row(Minimum)
def _minimum(_: Minimum, at: Applied) -> Result:
    """Likewise."""
    return _chosen(at, np.argmin(np.stack(at.inputs), axis=0))


def _chosen(at: Applied, winner: Array) -> Result:
    branches = range(len(at.inputs))
    return Result(
        np.choose(winner, at.inputs),
        lambda dy: Gradients(tuple(dy * (winner == branch) for branch in branches)),
    )


@ROWS.row(Multiply)
def _multiply(_: Multiply, at: Applied) -> Result:
    factors = _spread(at)

    def pullback(dy: Array) -> Gradients:
        return Gradients(
            tuple(
                _gathered(prod(factors[:i] + factors[i + 1 :], start=dy), factors[i], x)
                for i, x in enumerate(at.inputs)
            )
        )

    return Result(prod(factors[1:], start=factors[0]), pullback)


@ROWS.row(Divide)
def _divide(_: Divide, at: Applied) -> Result:
    first, *others = _spread(at)
    under = prod(others[1:], start=others[0])
    y = first / under

    def pullback(dy: Array) -> Gradients:
        gradients = [dy / under, *(-dy * y / other for other in others)]
        parts = zip(gradients, (first, *others), at.inputs, strict=True)
        return Gradients(tuple(_gathered(*part) for part in parts))

    return Result(y, pullback)


@ROWS.row(MatMul)
def _matmul(op: MatMul, at: Applied) -> Result:
    first, given = at.inputs
    second = np.swapaxes(given, -1, -2) if op.transpose else given

    def pullback(dy: Array) -> Gradients:
        by_second = np.swapaxes(first, -1, -2) @ dy
        if op.transpose:
            by_second = np.swapaxes(by_second, -1, -2)
        return Gradients((dy @ np.swapaxes(second, -1, -2), by_second))

    return Result(first @ second, pullback)


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
