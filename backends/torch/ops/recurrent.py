"""Recurrent layers: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import APPLIED, Layer
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call, Expr, Subscript, call
from netspec.ops.recurrent import Gru, Lstm, Recurrent, Rnn
from netspec.shape import Shape


@ROWS.row(Lstm, Gru, Rnn)
def recurrent(op: Recurrent, x: Shape) -> Layer:
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
    if isinstance(op, Gru):
        return Layer(module, _result(op), heavy=True)
    held = Call("one_bias", {"layer": module})
    return Layer(held, _result(op), heavy=True, fixed=_second_biases(op, x))


def _second_biases(op: Recurrent, x: Shape) -> tuple[str, ...]:
    cells = op.cells(x.axis("c"))
    return tuple(f"bias_hh_{cell.suffix}" for directions in cells for cell in directions)


def _result(op: Recurrent) -> Expr:
    """All steps are the first result; the final states, of all layers and directions, follow."""
    if not op.last:
        return Subscript(APPLIED, "0")
    states = Subscript(APPLIED, "1")
    if isinstance(op, Lstm):
        states = Subscript(states, "0")
    if not op.bidirectional:
        return Subscript(states, "-1")
    directions = call("transpose", 0, 1, on=Subscript(states, "-2:"))
    return call("flatten", 1, on=directions)
