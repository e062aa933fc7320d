"""The network's own tensors: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.rows import ROWS, Operand, Site, integers, node, singles
from netspec.ops.param import Const, Param


@ROWS.row(Param)
def param(op: Param, site: Site) -> Operand:
    """The initializer itself where it is added or multiplied."""
    return _repeated(site.weights[0], op.sizes, site)


@ROWS.row(Const)
def const(op: Const, site: Site) -> Operand:
    """A constant."""
    return _repeated(singles(op.numbers, (1, *op.sizes)), op.sizes, site)


def _repeated(tensor: Operand, sizes: tuple[int, ...], site: Site) -> Operand:
    """The tensor for every example of the input, where it must be."""
    if site.bare:
        return tensor
    examples = node("Shape", *site.inputs, start=0, end=1)
    return node("Expand", tensor, node("Concat", examples, integers(*sizes), axis=0))
