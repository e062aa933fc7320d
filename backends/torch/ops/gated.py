"""Gated linear units: how PyTorch realises them."""

from __future__ import annotations

from typing import Any

from netspec.backends.torch.layer import Layer
from netspec.backends.torch.rows import ROWS, Row
from netspec.emit.source import Call, Expr
from netspec.ops.gated import Geglu, Glu, Reglu, Swiglu
from netspec.shape import Shape


def _gated(func: str) -> Row:
    def row(op: Any, x: Shape) -> Layer:
        keywords: dict[str, Expr] = {"dim": 1 + x.axes.index("c")}
        if isinstance(op, Geglu):
            keywords["approximate"] = "tanh" if op.form == "tanh" else "none"
        return Layer(Call(func, {}, keywords, {"approximate": "none"}), shared=True)

    return row


for _op, _func in ((Glu, "nn.GLU"), (Reglu, "ReGLU"), (Geglu, "GEGLU"), (Swiglu, "SwiGLU")):
    ROWS.row(_op)(_gated(_func))
