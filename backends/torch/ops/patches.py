"""Windows of an image as vectors, and their sum in its place: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import APPLIED, Layer, X
from netspec.backends.torch.rows import ROWS, applied_to
from netspec.emit.source import Call, Expr, call, short
from netspec.ops.patches import Fold, Patches, Unfold
from netspec.shape import Shape

_DEFAULTS = {"dilation": 1, "padding": 0, "stride": 1}


def _arguments(op: Patches) -> dict[str, Expr]:
    return {name: short(getattr(op, name)) for name in ("dilation", "padding", "stride")}


@ROWS.row(Unfold)
def unfold(op: Unfold, _x: Shape) -> Layer:
    """PyTorch has the steps last."""
    made = Call("nn.Unfold", {"kernel_size": short(op.kernel)}, _arguments(op), _DEFAULTS)
    return Layer(made, call("transpose", 1, 2, on=APPLIED))


@ROWS.row(Fold)
def fold(op: Fold, _x: Shape) -> Layer:
    """PyTorch takes the steps last."""
    positional: dict[str, Expr] = {"output_size": (op.height, op.width)}
    positional["kernel_size"] = short(op.kernel)
    made = Call("nn.Fold", positional, _arguments(op), _DEFAULTS)
    return Layer(made, applied_to(call("transpose", 1, 2, on=X)))
