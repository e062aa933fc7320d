"""Scales and shifts of each channel: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Operand, Site, node, number, singles
from netspec.ops.affine import Affine, Normalize, Rescale, Scale, Shift


@ROWS.row(Scale)
def scale(op: Scale, site: Site) -> Operand:  # noqa: ARG001
    """A product: the factors have the axes behind them."""
    return node("Mul", *site.inputs, *site.weights)


@ROWS.row(Shift)
def shift(op: Shift, site: Site) -> Operand:  # noqa: ARG001
    """A sum, likewise."""
    return node("Add", *site.inputs, *site.weights)


@ROWS.row(Affine)
def affine(op: Affine, site: Site) -> Operand:  # noqa: ARG001
    """Both."""
    weight, bias = site.weights
    return node("Add", node("Mul", *site.inputs, weight), bias)


@ROWS.row(Normalize)
def normalize(op: Normalize, site: Site) -> Operand:
    """By its definition."""
    axes = site.shapes[0].axes
    behind = (1,) * (len(axes) - 1 - axes.index("c"))
    mean, std = (singles(values, (len(values), *behind)) for values in (op.mean, op.std))
    return node("Div", node("Sub", *site.inputs, mean), std)


@ROWS.row(Rescale)
def rescale(op: Rescale, site: Site) -> Operand:
    """By its definition."""
    product = node("Mul", *site.inputs, number(op.factor))
    return node("Add", product, number(op.offset)) if op.offset else product
