"""Recurrent layers: how Keras realises them."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.backends.keras.layer import Held, Holding, Layer, chain
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr
from netspec.ops.recurrent import Cell, Gru, Lstm, Recurrent, Rnn
from netspec.shape import Shape


@ROWS.row(Lstm, Gru, Rnn)
def recurrent(op: Recurrent, x: Shape) -> Layer:
    """One Keras layer for each layer; all but the last give every step."""
    held: dict[str, tuple[Held, ...]] = {}
    steps: list[tuple[str, Call]] = []
    name = "SimpleRNN" if isinstance(op, Rnn) else type(op).__name__.upper()
    for number, cells in enumerate(op.cells(x.axis("c")), start=1):
        top = number == op.layers
        keywords: dict[str, Expr] = {
            "activation": op.form if isinstance(op, Rnn) else "tanh",
            "return_sequences": not (op.last and top),
        }
        defaults = {"activation": "tanh", "return_sequences": False}
        made = Call(f"layers.{name}", {"units": op.units}, keywords, defaults)
        if op.bidirectional:
            made = Call("layers.Bidirectional", {"layer": made})
        suffix = "" if top else f"l{number - 1}"
        steps.append((suffix, made))
        for cell in cells:
            held.update(_held(op, cell, suffix))
    return chain(*steps, held=held)


def _held(op: Recurrent, cell: Cell, suffix: str) -> Holding:
    """Keras's gates stand in PyTorch's order, but those of a GRU: update, reset, new."""
    inner = "cell"
    if op.bidirectional:
        inner = "backward_layer.cell" if cell.reverse else "forward_layer.cell"
    rows = tuple(_swapped(op.units)) if isinstance(op, Gru) else None
    found = {
        f"weight_ih_{cell.suffix}": (Held(f"{inner}.kernel", rows=rows, suffix=suffix),),
        f"weight_hh_{cell.suffix}": (Held(f"{inner}.recurrent_kernel", rows=rows, suffix=suffix),),
    }
    for number, bias in enumerate(op.biases):
        at = number if len(op.biases) > 1 else None
        found[f"{bias}_{cell.suffix}"] = (Held(f"{inner}.bias", rows=rows, at=at, suffix=suffix),)
    return found


def _swapped(units: int) -> Iterator[int]:
    """The second gate's rows, the first's, the third's."""
    for gate in (1, 0, 2):
        yield from range(gate * units, (gate + 1) * units)
