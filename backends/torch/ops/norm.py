"""Normalisations: how PyTorch realises them."""

from __future__ import annotations

from netspec.backends.torch.layer import Layer, X
from netspec.backends.torch.rows import ROWS, applied_to
from netspec.emit.source import Call, Expr, call
from netspec.ops.norm.batch import BatchNorm
from netspec.ops.norm.per_example import (
    GroupNorm,
    InstanceNorm,
    L2Normalise,
    LayerNorm,
    LocalResponseNorm,
    RmsNorm,
)
from netspec.shape import Shape


@ROWS.row(BatchNorm)
def batch_norm(op: BatchNorm, x: Shape) -> Layer:
    """PyTorch's momentum is the weight of the new batch, as in the spec."""
    keywords = {"eps": op.eps, "momentum": op.momentum, "affine": op.affine}
    defaults = {"eps": 1e-5, "momentum": 0.1, "affine": True}
    dim = max(len(x.spatial), 1)
    module = Call(f"nn.BatchNorm{dim}d", {"num_features": x.axis("c")}, keywords, defaults)
    return Layer(module, gives_up=True)


_LAYER_NORM = {"eps": 1e-5, "elementwise_affine": True, "bias": True}


def _channels_last(module: Call, x: Shape) -> Layer:
    """A module for the last axis, with the channels there."""
    place = 1 + x.axes.index("c")
    if place == len(x.axes):
        return Layer(module)
    moved = applied_to(call("movedim", place, -1, on=X))
    return Layer(module, call("movedim", -1, place, on=moved))


@ROWS.row(LayerNorm)
def layer_norm(op: LayerNorm, x: Shape) -> Layer:
    """PyTorch's layer is for the last axes: an image's channels pass through a class of the file."""
    keywords: dict[str, Expr] = {
        "eps": op.eps,
        "elementwise_affine": op.affine,
        "bias": op.bias or not op.affine,
    }
    if op.over == "all":
        return Layer(Call("nn.LayerNorm", {"normalized_shape": x.sizes}, keywords, _LAYER_NORM))
    shape: dict[str, Expr] = {"normalized_shape": x.axis("c")}
    if x.kind in ("image", "volume"):
        return Layer(Call(f"LayerNorm{len(x.spatial)}d", shape, keywords, _LAYER_NORM))
    return _channels_last(Call("nn.LayerNorm", shape, keywords, _LAYER_NORM), x)


@ROWS.row(GroupNorm)
def group_norm(op: GroupNorm, x: Shape) -> Layer:
    """The same as the spec's."""
    positional: dict[str, Expr] = {"num_groups": op.groups, "num_channels": x.axis("c")}
    keywords: dict[str, Expr] = {"eps": op.eps, "affine": op.affine}
    module = Call("nn.GroupNorm", positional, keywords, {"eps": 1e-5, "affine": True})
    return Layer(module, gives_up=True)


@ROWS.row(InstanceNorm)
def instance_norm(op: InstanceNorm, x: Shape) -> Layer:
    """PyTorch's learns nothing by default."""
    keywords: dict[str, Expr] = {"eps": op.eps, "affine": op.affine}
    func = f"nn.InstanceNorm{len(x.spatial)}d"
    positional: dict[str, Expr] = {"num_features": x.axis("c")}
    return Layer(Call(func, positional, keywords, {"eps": 1e-5, "affine": False}))


@ROWS.row(RmsNorm)
def rms_norm(op: RmsNorm, x: Shape) -> Layer:
    """PyTorch's eps follows the precision where none is given."""
    keywords: dict[str, Expr] = {"eps": op.eps, "elementwise_affine": op.affine}
    positional: dict[str, Expr] = {"normalized_shape": x.axis("c")}
    module = Call("nn.RMSNorm", positional, keywords, {"elementwise_affine": True})
    return _channels_last(module, x)


@ROWS.row(LocalResponseNorm)
def local_response_norm(op: LocalResponseNorm, _x: Shape) -> Layer:
    """The same as the spec's."""
    keywords: dict[str, Expr] = {"alpha": op.alpha, "beta": op.beta, "k": op.k}
    defaults = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}
    return Layer(Call("nn.LocalResponseNorm", {"size": op.size}, keywords, defaults))


@ROWS.row(L2Normalise)
def l2_normalise(op: L2Normalise, x: Shape) -> Layer:
    """Axes count from the batch."""
    keywords: dict[str, Expr] = {"dim": 1 + x.axes.index(op.axis), "eps": op.eps}
    return Layer(forward=Call("F.normalize", {"input": X}, keywords, {"dim": 1, "eps": 1e-12}))
