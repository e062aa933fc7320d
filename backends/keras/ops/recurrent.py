"""Recurrent layers: how Keras realises them."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.backends.keras.layer import LAYER, Held, Holding, Layer, Step
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr, Items, Subscript, arg, call
from netspec.ops.recurrent import Cell, Gru, Lstm, Recurrent, Rnn
from netspec.shape import Shape


@ROWS.row(Lstm, Gru, Rnn)
def recurrent(op: Recurrent, x: Shape, *states: Shape) -> Layer:
    """One Keras layer for each layer; all but the last give every step."""
    held: dict[str, tuple[Held, ...]] = {}
    gathers = op.last == "state" and len(op.tensors) * op.layers > 1
    steps = _split(op) if states else []
    first = 1 + len(states) + len(steps)
    for number, cells in enumerate(op.cells(x.axis("c"))):
        top = number == op.layers - 1
        suffix = "" if top else f"l{number}"
        made = _layer(op, return_sequences=not (op.last and top), return_state=gathers)
        read = Subscript(arg(0), "0") if gathers and number else arg(0)
        named = {"initial_state": _first_state(op, number)} if states else {}
        steps.append(
            Step(
                made,
                (first + number - 1 if number else 0, *([first - 1] if states else [])),
                suffix,
                applied=call(LAYER, read, **named),
                kept=_variable(op, number, kept=gathers or (bool(states) and not top)),
            )
        )
        for cell in cells:
            held.update(_held(op, cell, suffix))
    if gathers:
        steps.append(_gathered(op, first))
    return Layer(tuple(steps), held=held)


def _layer(op: Recurrent, **gives: bool) -> Call:
    name = "SimpleRNN" if isinstance(op, Rnn) else type(op).__name__.upper()
    keywords = {"activation": op.form if isinstance(op, Rnn) else "tanh", **gives}
    defaults = {"activation": "tanh", **dict.fromkeys(gives, False)}
    made = Call(f"layers.{name}", {"units": op.units}, keywords, defaults)
    return Call("layers.Bidirectional", {"layer": made}) if op.bidirectional else made


def _variable(op: Recurrent, number: int, *, kept: bool) -> str:
    """What a layer's results are called where later steps read several of them."""
    return (f"result{number}" if op.layers > 1 else "result") if kept else ""


def _parts(op: Recurrent, number: int) -> list[int]:
    """Where the states of a layer stand in the op's, in Keras's order: all of a direction, then of the other."""
    each = op.runs // op.layers
    return [
        tensor * op.runs + number * each + direction
        for direction in range(each)
        for tensor in range(len(op.tensors))
    ]


def _split(op: Recurrent) -> list[Step]:
    """The first state taken apart, where it consists of several."""
    count = len(op.tensors) * op.runs
    if count == 1:
        return []
    kept = "" if _parts(op, 0) == list(range(count)) else "states"
    return [Step(call("ops.split", arg(0), count, axis=-1), (1,), expression=True, kept=kept)]


def _first_state(op: Recurrent, number: int) -> Expr:
    """Those of a layer, of all that `_split` gives: the second value that the layer's step reads."""
    parts = _parts(op, number)
    if parts == list(range(len(op.tensors) * op.runs)):
        return arg(1)
    chosen = tuple(Subscript(arg(1), str(part)) for part in parts)
    return chosen[0] if len(chosen) == 1 else Items(chosen)


def _gathered(op: Recurrent, first: int) -> Step:
    """The final states of all layers, whose results begin at value `first`; a layer's own result is before them."""
    places = {
        part: Subscript(arg(number), str(place))
        for number in range(op.layers)
        for place, part in enumerate(_parts(op, number), start=1)
    }
    whole = list(places) == sorted(places) and op.layers == 1
    states = Subscript(arg(0), "1:") if whole else Items(tuple(places[i] for i in sorted(places)))
    reads = tuple(range(first, first + op.layers))
    return Step(call("ops.concatenate", states, axis=-1), reads, expression=True)


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
