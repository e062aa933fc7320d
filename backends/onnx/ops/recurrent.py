"""Recurrent layers: how ONNX realises them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from netspec.backends.onnx.rows import ROWS, Apply, Constant, Operand, Site, integers, node
from netspec.ops.recurrent import Cell, Gru, Lstm, Recurrent, Rnn

_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
"""ONNX's order of PyTorch's gates: input output forget cell; update reset hidden."""


@ROWS.row(Lstm, Gru, Rnn)
def recurrent(op: Recurrent, site: Site) -> Operand:
    """One node for each layer, time first: ONNX Runtime has no other layout.

    The weights keep their names and PyTorch's order; ONNX Runtime gathers the gates when it loads.
    """
    x, *states = site.inputs
    owned = dict(zip((w.name for w in op.weights(*site.shapes)), site.weights, strict=True))
    value: Operand = node("Transpose", x, perm=(1, 0, 2))
    first = [_apart(op, state) for state in states]
    layers = list(op.cells(site.shapes[0].axis("c")))
    made: list[Apply] = []
    for number, cells in enumerate(layers):
        begin = [_of_layer(op, state, number) for state in first]
        made.append(_layer(op, value, cells, owned, *chain.from_iterable(begin)))
        value = _all_steps(made[-1])
    if not op.last:
        return node("Transpose", value, perm=(1, 0, 2))
    whole = op.last == "state"
    wanted, tensors = (made, len(op.tensors)) if whole else (made[-1:], 1)
    width = op.state if whole else op.width
    ends = [layer._replace(result=1 + tensor) for tensor in range(tensors) for layer in wanted]
    end = ends[0] if len(ends) == 1 else node("Concat", *ends, axis=0)
    return node("Reshape", node("Transpose", end, perm=(1, 0, 2)), integers(0, width))


def _apart(op: Recurrent, state: Operand) -> Apply:
    """A state `(n, tensors * runs * units)` as `(tensors * runs, n, units)`."""
    split = node("Reshape", state, integers(0, len(op.tensors) * op.runs, op.units))
    return node("Transpose", split, perm=(1, 0, 2))


def _of_layer(op: Recurrent, state: Operand, number: int) -> Iterator[Operand]:
    """What ONNX takes of a state for one layer: the tensors `(directions, n, units)` of which it consists."""
    directions = op.runs // op.layers
    for tensor in range(len(op.tensors)):
        begin = tensor * op.runs + number * directions
        parts = (integers(begin), integers(begin + directions), integers(0))
        yield state if directions == op.runs * len(op.tensors) else node("Slice", state, *parts)


def _layer(
    op: Recurrent,
    value: Operand,
    cells: Sequence[Cell],
    owned: Mapping[str, str],
    *first: Operand,
) -> Apply:
    """All steps `(t, directions, n, units)`, then the final states `(directions, n, units)`."""
    matrices = [
        _stacked(op, [[owned[f"weight_{side}_{c.suffix}"]] for c in cells]) for side in ("ih", "hh")
    ]
    biases = _stacked(op, [_biases(op, cell, owned) for cell in cells])
    attributes: dict[str, object] = {
        "hidden_size": op.units,
        "direction": "bidirectional" if op.bidirectional else "forward",
    }
    if isinstance(op, Gru):
        attributes["linear_before_reset"] = 1
    if isinstance(op, Rnn):
        attributes["activations"] = (op.form.capitalize(),) * len(cells)
    states = ("", *first) if first else ()  # all sequences of a batch have one length
    return node(op.kind.upper(), value, *matrices, biases, *states, **attributes)


def _biases(op: Recurrent, cell: Cell, owned: Mapping[str, str]) -> list[Operand]:
    """The input's and the state's; a missing one is zero."""
    found: list[Operand] = [owned[f"{bias}_{cell.suffix}"] for bias in op.biases]
    rows = op.gates * op.units
    return found if len(found) == 2 else [*found, Constant((0.0,) * rows, (rows,))]


def _stacked(op: Recurrent, parts: Sequence[Sequence[Operand]]) -> Operand:
    """For each direction its parts with ONNX's gates one behind the other, in an axis of their own."""
    order = [
        row for gate in _GATES[op.kind] for row in range(gate * op.units, (gate + 1) * op.units)
    ]
    rows = []
    for direction in parts:
        moved = [
            part
            if isinstance(part, Constant) or op.gates == 1
            else node("Gather", part, integers(*order), axis=0)
            for part in direction
        ]
        whole = moved[0] if len(moved) == 1 else node("Concat", *moved, axis=0)
        rows.append(node("Unsqueeze", whole, integers(0)))
    return rows[0] if len(rows) == 1 else node("Concat", *rows, axis=0)


def _all_steps(result: Operand) -> Operand:
    """`(t, directions, n, units) -> (t, n, directions * units)`."""
    return node("Reshape", node("Transpose", result, perm=(0, 2, 1, 3)), integers(0, 0, -1))
