"""Recurrent layers, and their backpropagation through time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """One direction of one layer over `x (n, t, c)`, from the `first` state: `h (n, units)`, and perhaps `c`."""

    def __init__(
        self, step: Step, at: Applied, suffix: str, x: Array, first: Sequence[Array], reverse: bool
    ) -> None:
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
        hidden, memory = first[0], first[-1]
        for t in self.order:
            by_state = hidden @ recurrent.T
            if second is not None:
                by_state = by_state + second
            self.before[:, t] = hidden
            hidden, memory, self.pulls[t] = step(by_input[:, t], by_state, hidden, memory)
            self.output[:, t] = hidden
        self.last = (hidden, memory)[: len(first)]

    def pullback(
        self, dy: Array, dlast: Sequence[Array]
    ) -> tuple[Array, Sequence[Array], dict[str, Array]]:
        """Cotangents of the input, the first state and the weights, from those of every step and the last state."""
        by_input = np.empty((*self.x.shape[:2], len(self.weight)), self.x.dtype)
        by_state = np.empty_like(by_input)
        dhidden = dlast[0]
        dmemory = dlast[1] if len(dlast) > 1 else np.zeros_like(dhidden)
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
        return by_input @ self.weight, (dhidden, dmemory)[: len(dlast)], gradients


@ROWS.row(Lstm, Gru, Rnn)
def _recurrent(op: Recurrent, at: Applied) -> Result:
    """Layer upon layer, each in all its directions."""
    step: Step = {"lstm": _lstm, "gru": _gru}.get(op.kind) or partial(_rnn, getattr(op, "form", ""))
    value, *states = at.inputs
    tensors, count = len(op.tensors), len(op.tensors) * op.runs
    first = np.split(states[0], count, axis=1) if states else [_nothing(op, value)] * count
    runs: list[_Run] = []
    for cells in op.cells(at.shapes[0].axis("c")):
        for cell in cells:
            start = first[len(runs) :: op.runs]
            runs.append(_Run(step, at, cell.suffix, value, start, cell.reverse))
        value = np.concatenate([run.output for run in runs[-len(cells) :]], axis=2)
    top = runs[-(op.runs // op.layers) :]

    def pullback(dy: Array) -> Gradients:
        dends = [_nothing(op, at.inputs[0])] * count
        if op.last:
            places = range(count) if op.last == "state" else range(op.runs - len(top), op.runs)
            for place, part in zip(places, np.split(dy, len(places), axis=1), strict=True):
                dends[place] = part
            dy = np.zeros_like(value)
        dfirst = list(dends)
        gradients: dict[str, Array] = {}
        for upper in range(op.runs, 0, -len(top)):
            places = range(upper - len(top), upper)
            parts = zip(places, np.split(dy, len(top), axis=2), strict=True)
            dy = np.zeros_like(runs[places[0]].x)
            for place, part in parts:
                dx, begin, found = runs[place].pullback(part, dends[place :: op.runs])
                dy = dy + dx
                dfirst[place :: op.runs] = begin
                gradients.update(found)
        return Gradients((dy, np.concatenate(dfirst, axis=1)) if states else (dy,), gradients)

    if op.last == "state":
        ends = [run.last[tensor] for tensor in range(tensors) for run in runs]
        return Result(np.concatenate(ends, axis=1), pullback)
    if op.last:
        return Result(np.concatenate([run.last[0] for run in top], axis=1), pullback)
    return Result(value, pullback)


def _nothing(op: Recurrent, x: Array) -> Array:
    """Zeros as a state of one cell for `x (n, t, c)`, or the cotangents of one that nobody reads."""
    return np.zeros((len(x), op.units), x.dtype)
