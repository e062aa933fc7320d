"""Recurrent layers: how ONNX realises them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.backends.onnx.rows import ROWS, Constant, Operand, Site, integers, node
from netspec.ops.recurrent import Cell, Gru, Lstm, Recurrent, Rnn

_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
"""ONNX's order of PyTorch's gates: input output forget cell; update reset hidden."""


@ROWS.row(Lstm, Gru, Rnn)
def recurrent(op: Recurrent, site: Site) -> Operand:
    """One node for each layer, time first: ONNX Runtime has no other layout.

    The weights keep their names and PyTorch's order; ONNX Runtime gathers the gates when it loads.
    """
    (x,), (shape,) = site.inputs, site.shapes
    owned = dict(zip((weight.name for weight in op.weights(shape)), site.weights, strict=True))
    value: Operand = node("Transpose", x, perm=(1, 0, 2))
    layers = list(op.cells(shape.axis("c")))
    for cells in layers[:-1]:
        value = _all_steps(_layer(op, value, cells, owned, last=False))
    result = _layer(op, value, layers[-1], owned, op.last)
    if op.last:
        return node("Reshape", node("Transpose", result, perm=(1, 0, 2)), integers(0, op.width))
    return node("Transpose", _all_steps(result), perm=(1, 0, 2))


def _layer(
    op: Recurrent, value: Operand, cells: Sequence[Cell], owned: Mapping[str, str], last: bool
) -> Operand:
    """All steps `(t, directions, n, units)`, or with `last` the states `(directions, n, units)`."""
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
    made = node(op.kind.upper(), value, *matrices, biases, **attributes)
    return made._replace(result=1) if last else made


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
