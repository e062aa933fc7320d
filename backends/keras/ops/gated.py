"""Gated linear units: how Keras realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.keras.layer import Layer, expression
from netspec.backends.keras.rows import ROWS, Row, held_axis
from netspec.emit.source import Call, Expr, arg
from netspec.ops.gated import Geglu, Glu, Reglu, Swiglu
from netspec.shape import Shape


def _gated(func: str) -> Row:
    def row(op: Any, x: Shape) -> Layer:
        keywords: dict[str, Expr] = {"axis": held_axis(x, "c")}
        if isinstance(op, Geglu):
            keywords["approximate"] = op.form == "tanh"
        defaults = {"axis": -1, "approximate": False}
        return expression(Call(func, {"x": arg(0)}, keywords, defaults))

    return row


for _op, _func in ((Glu, "ops.glu"), (Reglu, "reglu"), (Geglu, "geglu"), (Swiglu, "swiglu")):
    ROWS.row(_op)(_gated(_func))
