"""Gated linear units: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.ops.activation import gelu_of
from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    axis_of,
    integers,
    node,
)
from netspec.ops.gated import Geglu, Glu, Reglu, Swiglu


def _halves(site: Site) -> tuple[Operand, Operand]:
    """Both halves of the features."""
    (x,), (shape,) = site.inputs, site.shapes
    channels, axis = shape.axis("c"), integers(axis_of(shape, "c"))
    edges = [integers(edge) for edge in (0, channels // 2, channels)]
    first, second = (node("Slice", x, edges[i], edges[i + 1], axis) for i in (0, 1))
    return first, second


@ROWS.row(Glu)
def glu(op: Glu, site: Site) -> Operand:  # noqa: ARG001
    """The second half gates."""
    value, gate = _halves(site)
    return node("Mul", value, node("Sigmoid", gate))


@ROWS.row(Reglu)
def reglu(op: Reglu, site: Site) -> Operand:  # noqa: ARG001
    """The second half gates."""
    value, gate = _halves(site)
    return node("Mul", value, node("Relu", gate))


@ROWS.row(Geglu)
def geglu(op: Geglu, site: Site) -> Operand:
    """The second half gates."""
    value, gate = _halves(site)
    return node("Mul", value, gelu_of(gate, op.form, site.opset))


@ROWS.row(Swiglu)
def swiglu(op: Swiglu, site: Site) -> Operand:  # noqa: ARG001
    """The first half gates."""
    gate, value = _halves(site)
    return node("Mul", node("Mul", gate, node("Sigmoid", gate)), value)
