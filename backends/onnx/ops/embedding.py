"""Tokens and positions: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Operand, Site, integers, node, singles
from netspec.dim import Dim
from netspec.ops.embedding import Embed, Positions, Sinusoidal


@ROWS.row(Embed)
def embed(op: Embed, site: Site) -> Operand:  # noqa: ARG001
    """Rows of the table."""
    return node("Gather", *site.weights, *site.inputs, axis=0)


@ROWS.row(Positions)
def positions(op: Positions, site: Site) -> Operand:
    """The first rows of the table, added."""
    (x,), (table,) = site.inputs, site.weights
    steps = site.shapes[0].axis("t")
    if steps == op.length:
        return node("Add", x, table)
    unknown = isinstance(steps, Dim)
    end = node("Shape", x, start=1, end=2) if unknown else integers(steps)
    return node("Add", x, node("Slice", table, integers(0), end, integers(0)))


@ROWS.row(Sinusoidal)
def sinusoidal(op: Sinusoidal, site: Site) -> Operand:
    """The table is a constant."""
    (shape,) = site.shapes
    return node("Add", *site.inputs, singles(op.table(shape), shape.sizes))
