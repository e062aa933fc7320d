"""Recurrent layers, and their backpropagation through time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from netspec.backends.reference.ops.activation import logistic
from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.recurrent import Gru, Lstm, Recurrent, Rnn
from netspec.weights import Array


class Pulled(NamedTuple):
    """Cotangents of a step: of the input's and the state's products, and directly of both states."""

    by_input: Array
    by_state: Array
    hidden: Array
    memory: Array


Pull: TypeAlias = Callable[[Array, Array], Pulled]
Step: TypeAlias = Callable[[Array, Array, Array, Array], tuple[Array, Array, Pull]]
"""`(input's product, state's product, hidden, memory) -> (hidden, memory, pullback)`, each `(n, ...)`."""


def _lstm(
    by_input: Array, by_state: Array, hidden: Array, memory: Array
) -> tuple[Array, Array, Pull]:
    i, f, g, o = np.split(by_input + by_state, 4, axis=1)
    i, f, g, o = logistic(i), logistic(f), np.tanh(g), logistic(o)
    new = f * memory + i * g
    seen = np.tanh(new)

    def pull(dhidden: Array, dmemory: Array) -> Pulled:
        dnew = dmemory + dhidden * o * (1 - seen * seen)
        gates = [
            dnew * g * i * (1 - i),
            dnew * memory * f * (1 - f),
            dnew * i * (1 - g * g),
            dhidden * seen * o * (1 - o),
        ]
        products = np.concatenate(gates, axis=1)
        return Pulled(products, products, np.zeros_like(hidden), dnew * f)

    return o * seen, new, pull


def _gru(
    by_input: Array, by_state: Array, hidden: Array, memory: Array
) -> tuple[Array, Array, Pull]:
    xr, xz, xn = np.split(by_input, 3, axis=1)
    hr, hz, hn = np.split(by_state, 3, axis=1)
    r, z = logistic(xr + hr), logistic(xz + hz)
    n = np.tanh(xn + r * hn)

    def pull(dhidden: Array, dmemory: Array) -> Pulled:
        dn = dhidden * (1 - z) * (1 - n * n)
        dr, dz = dn * hn * r * (1 - r), dhidden * (hidden - n) * z * (1 - z)
        return Pulled(
            np.concatenate([dr, dz, dn], axis=1),
            np.concatenate([dr, dz, dn * r], axis=1),
            dhidden * z,
            dmemory,
        )

    return (1 - z) * n + z * hidden, memory, pull


def _rnn(
    form: str, by_input: Array, by_state: Array, hidden: Array, memory: Array
) -> tuple[Array, Array, Pull]:
    total = by_input + by_state
    new = np.tanh(total) if form == "tanh" else np.maximum(total, 0)
    slope = 1 - new * new if form == "tanh" else (total > 0).astype(total.dtype)

    def pull(dhidden: Array, dmemory: Array) -> Pulled:
        return Pulled(dhidden * slope, dhidden * slope, np.zeros_like(hidden), dmemory)

    return new, memory, pull


class _Run:
    """One direction of one layer over `x (n, t, c)`."""

    def __init__(self, step: Step, at: Applied, suffix: str, x: Array, reverse: bool) -> None:
        def owned(name: str) -> Array | None:
            return at.weights.get(f"{name}_{suffix}")

        self.suffix = suffix
        self.x = x
        self.order = range(x.shape[1])[::-1] if reverse else range(x.shape[1])
        weight, recurrent = owned("weight_ih"), owned("weight_hh")
        assert weight is not None
        assert recurrent is not None
        self.weight, self.recurrent = weight, recurrent
        self.has_second_bias = (second := owned("bias_hh")) is not None
        by_input = x @ weight.T + owned("bias_ih")
        units = recurrent.shape[1]
        self.output = np.empty((*x.shape[:2], units), x.dtype)
        self.before = np.empty_like(self.output)
        self.pulls: dict[int, Pull] = {}
        hidden = memory = np.zeros((len(x), units), x.dtype)
        for t in self.order:
            by_state = hidden @ recurrent.T
            if second is not None:
                by_state = by_state + second
            self.before[:, t] = hidden
            hidden, memory, self.pulls[t] = step(by_input[:, t], by_state, hidden, memory)
            self.output[:, t] = hidden
        self.last = hidden

    def pullback(self, dy: Array) -> tuple[Array, dict[str, Array]]:
        """Cotangents of the input and of the weights, from those of every step's state."""
        by_input = np.empty((*self.x.shape[:2], len(self.weight)), self.x.dtype)
        by_state = np.empty_like(by_input)
        dhidden = dmemory = np.zeros_like(self.last)
        for t in reversed(self.order):
            pulled = self.pulls[t](dhidden + dy[:, t], dmemory)
            by_input[:, t], by_state[:, t] = pulled.by_input, pulled.by_state
            dhidden = pulled.hidden + pulled.by_state @ self.recurrent
            dmemory = pulled.memory
        gradients = {
            f"weight_ih_{self.suffix}": np.einsum("ntg,ntc->gc", by_input, self.x),
            f"weight_hh_{self.suffix}": np.einsum("ntg,nth->gh", by_state, self.before),
            f"bias_ih_{self.suffix}": by_input.sum((0, 1)),
        }
        if self.has_second_bias:
            gradients[f"bias_hh_{self.suffix}"] = by_state.sum((0, 1))
        return by_input @ self.weight, gradients


@ROWS.row(Lstm, Gru, Rnn)
def _recurrent(op: Recurrent, at: Applied) -> Result:
    """Layer upon layer, each in all its directions."""
    step: Step = {"lstm": _lstm, "gru": _gru}.get(op.kind) or partial(_rnn, getattr(op, "form", ""))
    value = at.inputs[0]
    layers: list[list[_Run]] = []
    for cells in op.cells(at.shapes[0].axis("c")):
        runs = [_Run(step, at, cell.suffix, value, cell.reverse) for cell in cells]
        layers.append(runs)
        value = np.concatenate([run.output for run in runs], axis=2)

    def pullback(dy: Array) -> Gradients:
        if op.last:
            last, dy = dy, np.zeros_like(value)
            for number, run in enumerate(layers[-1]):
                part = slice(number * op.units, (number + 1) * op.units)
                dy[:, run.order[-1], part] = last[:, part]
        gradients: dict[str, Array] = {}
        for runs in reversed(layers):
            parts = np.split(dy, len(runs), axis=2)
            pulled = [run.pullback(part) for run, part in zip(runs, parts, strict=True)]
            dy = sum(dx for dx, _ in pulled[1:]) + pulled[0][0]
            for _, found in pulled:
                gradients.update(found)
        return Gradients((dy,), gradients)

    if op.last:
        value_last = np.concatenate([run.last for run in layers[-1]], axis=1)
        return Result(value_last, pullback)
    return Result(value, pullback)
