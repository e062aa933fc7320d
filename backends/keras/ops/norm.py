"""Normalisations: how Keras realises them."""

from __future__ import annotations

from decimal import Decimal

from netspec.backends.keras.layer import Held, Holding, Layer, expression, single
from netspec.backends.keras.rows import (
    ROWS,
    held_axis,
    held_order,
    with_channels_last,
)
from netspec.emit.source import Call, Code, Expr, arg, call
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
def batch_norm(op: BatchNorm, _x: Shape) -> Layer:
    """Keras's momentum is the weight of the old statistics."""
    keywords: dict[str, Expr] = {
        "momentum": float(1 - Decimal(repr(op.momentum))),
        "epsilon": op.eps,
        "center": op.affine,
        "scale": op.affine,
    }
    defaults = {"momentum": 0.9, "epsilon": 1e-5, "center": True, "scale": True}
    held = {
        "weight": (Held("gamma"),),
        "bias": (Held("beta"),),
        "running_mean": (Held("moving_mean"),),
        "running_var": (Held("moving_variance"),),
    }
    return single(Call("BatchNorm", {}, keywords, defaults), held=held)


def _affine(order: tuple[int, ...] | None = None) -> Holding:
    return {"weight": (Held("gamma", order=order),), "bias": (Held("beta", order=order),)}


@ROWS.row(LayerNorm)
def layer_norm(op: LayerNorm, x: Shape) -> Layer:
    """Keras's eps is 1e-3 by default; its tensors over all axes lie in its order of them.

    On PyTorch it normalises the last axes only.
    """
    everything = Code(repr(list(range(1, 1 + len(x.axes)))))
    keywords: dict[str, Expr] = {
        "axis": everything if op.over == "all" else -1,
        "epsilon": op.eps,
        "center": op.affine and op.bias,
        "scale": op.affine,
    }
    made = Call(
        "layers.LayerNormalization", {}, keywords, {"axis": -1, "center": True, "scale": True}
    )
    if op.over == "all":
        return single(made, held=_affine(held_order(x)))
    return with_channels_last(made, x, _affine())


def _group_norm(groups: int, eps: float, affine: bool, x: Shape) -> Layer:
    keywords: dict[str, Expr] = {
        "groups": groups,
        "axis": held_axis(x, "c"),
        "epsilon": eps,
        "center": affine,
        "scale": affine,
    }
    defaults = {"groups": 32, "axis": -1, "center": True, "scale": True}
    return single(Call("layers.GroupNormalization", {}, keywords, defaults), held=_affine())


@ROWS.row(GroupNorm)
def group_norm(op: GroupNorm, x: Shape) -> Layer:
    """Keras's eps is 1e-3 by default."""
    return _group_norm(op.groups, op.eps, op.affine, x)


@ROWS.row(InstanceNorm)
def instance_norm(op: InstanceNorm, x: Shape) -> Layer:
    """A group norm with a group for each channel, which Keras calls -1."""
    return _group_norm(-1, op.eps, op.affine, x)


@ROWS.row(RmsNorm)
def rms_norm(op: RmsNorm, x: Shape) -> Layer:
    """Keras's layer always learns a scale, and multiplies the last axis by it, whatever its own axis is."""
    if op.affine:
        made = Call("layers.RMSNormalization", {}, {"epsilon": op.eps})
        return with_channels_last(made, x, {"weight": (Held("scale"),)})
    keywords: dict[str, Expr] = {"axis": held_axis(x, "c"), "epsilon": op.eps}
    return expression(Call("ops.rms_normalization", {"x": arg(0)}, keywords, {"axis": -1}))


@ROWS.row(LocalResponseNorm)
def local_response_norm(op: LocalResponseNorm, _x: Shape) -> Layer:
    """A function of the file: Keras has none."""
    keywords: dict[str, Expr] = {"size": op.size, "alpha": op.alpha, "beta": op.beta, "k": op.k}
    return expression(Call("local_response_norm", {"x": arg(0)}, keywords))


@ROWS.row(L2Normalise)
def l2_normalise(op: L2Normalise, x: Shape) -> Layer:
    """The same as the spec's."""
    return expression(call("ops.normalize", arg(0), axis=held_axis(x, op.axis), epsilon=op.eps))
