"""The network's own tensors: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.initial import started
from netspec.backends.torch.layer import MODULE, Layer, X
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call, call
from netspec.ops.param import Const, Param
from netspec.shape import Shape


@ROWS.row(Param)
def param(op: Param, x: Shape) -> Layer:
    """An `nn.Parameter` with an axis of one for the examples."""
    (weight,) = op.weights(x)
    return _tensor(call("nn.Parameter", started(weight.init, weight.shape)), len(op.sizes))


@ROWS.row(Const)
def const(op: Const, _x: Shape) -> Layer:
    """A buffer that is no part of a checkpoint."""
    values = Call("torch.tensor", {"data": (op.values,)})
    return _tensor(call("nn.Buffer", values, persistent=False), len(op.sizes))


def _tensor(made: Call, rank: int) -> Layer:
    """A tensor of the module's own, repeated for every example where it must be."""
    spread = call("expand", call("size", 0, on=X), *(-1,) * rank, on=MODULE)
    return Layer(made, spread, bare=MODULE, inline=True)
