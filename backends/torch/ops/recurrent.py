"""Recurrent layers: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import MODULE, Layer, X
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call, Expr, Subscript, arg, call
from netspec.ops.recurrent import Gru, Lstm, Recurrent, Rnn
from netspec.shape import Shape


@ROWS.row(Lstm, Gru, Rnn)
def recurrent(op: Recurrent, x: Shape, *states: Shape) -> Layer:
    """Of the layers with one bias PyTorch's second is held at zero."""
    positional = {"input_size": x.axis("c"), "hidden_size": op.units}
    keywords: dict[str, Expr] = {
        "num_layers": op.layers,
        "nonlinearity": op.form if isinstance(op, Rnn) else "tanh",
        "batch_first": True,
        "bidirectional": op.bidirectional,
    }
    defaults = {"num_layers": 1, "nonlinearity": "tanh", "bidirectional": False}
    module = Call(f"nn.{type(op).__name__.upper()}", positional, keywords, defaults)
    result = _result(op, call(MODULE, X, *([_first_state(op)] if states else [])))
    if isinstance(op, Gru):
        return Layer(module, result, heavy=True)
    held = Call("one_bias", {"layer": module})
    return Layer(held, result, heavy=True, fixed=_second_biases(op, x))


def _second_biases(op: Recurrent, x: Shape) -> tuple[str, ...]:
    cells = op.cells(x.axis("c"))
    return tuple(f"bias_hh_{cell.suffix}" for directions in cells for cell in directions)


def _first_state(op: Recurrent) -> Expr:
    """The second input as `(layers * directions, n, units)`; cuDNN wants it contiguous."""
    if isinstance(op, Lstm):
        return call("hidden_and_cell", arg(1), op.units)
    split = call("unflatten", 1, (op.runs, op.units), on=arg(1))
    runs = Subscript(arg(1), "None") if op.runs == 1 else call("transpose", 0, 1, on=split)
    return call("contiguous", on=runs)


def _result(op: Recurrent, applied: Expr) -> Expr:
    """All steps are the first result; the final states, of all layers and directions, follow."""
    if not op.last:
        return Subscript(applied, "0")
    states: Expr = Subscript(applied, "1")
    if op.last == "state":
        if isinstance(op, Lstm):
            states = call("torch.cat", states)
        elif op.runs == 1:
            return Subscript(states, "0")
        return call("flatten", 1, on=call("transpose", 0, 1, on=states))
    if isinstance(op, Lstm):
        states = Subscript(states, "0")
    if not op.bidirectional:
        return Subscript(states, "-1")
    directions = call("transpose", 0, 1, on=Subscript(states, "-2:"))
    return call("flatten", 1, on=directions)
