"""Products of two tensors through learned weights: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import MODULE, Layer
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call, Expr, arg, call
from netspec.ops.bilinear import Bilinear
from netspec.shape import Shape


@ROWS.row(Bilinear)
def bilinear(op: Bilinear, *xs: Shape) -> Layer:
    """The same as the spec's."""
    first, second = (x.axis("c") for x in xs)
    sizes: dict[str, Expr] = {"in1_features": first, "in2_features": second}
    sizes["out_features"] = op.units
    made = Call("nn.Bilinear", sizes, {"bias": op.bias}, {"bias": True})
    return Layer(made, call(MODULE, arg(0), arg(1)), heavy=True)
