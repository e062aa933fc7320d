"""Normalisations: how ONNX realises them."""

from __future__ import annotations

from math import prod

from netspec.backends.onnx.rows import (
    ROWS,
    Constant,
    Operand,
    Site,
    axis_of,
    integers,
    moved_last,
    node,
    number,
    per_channel,
    reduced,
)
from netspec.ops.norm.batch import BatchNorm
from netspec.ops.norm.per_example import (
    GroupNorm,
    InstanceNorm,
    L2Normalise,
    LayerNorm,
    LocalResponseNorm,
    RmsNorm,
)

_FLOAT, _DOUBLE = 1, 11
"""ONNX's numbers for the types in which statistics may be computed."""


@ROWS.row(BatchNorm)
def batch_norm(op: BatchNorm, site: Site) -> Operand:
    """`BatchNormalization` in its inference form, whose operands stand in PyTorch's order."""
    channels = site.shapes[0].axis("c")
    affine = () if op.affine else (_filled(1, channels), _filled(0, channels))
    return node("BatchNormalization", *site.inputs, *affine, *site.weights, epsilon=op.eps)


def _filled(value: float, *sizes: int) -> Constant:
    return Constant((float(value),) * prod(sizes), sizes)


@ROWS.row(LayerNorm)
def layer_norm(op: LayerNorm, site: Site) -> Operand:
    """`LayerNormalization`, which is for the last axes and always has a scale."""
    (x,), (shape,) = site.inputs, site.shapes
    sizes = shape.sizes if op.over == "all" else (shape.axis("c"),)
    weights = site.weights if op.affine else (_filled(1, *sizes),)
    if op.over == "all":
        return node("LayerNormalization", x, *weights, axis=1, epsilon=op.eps)

    def normal(value: Operand) -> Operand:
        return node("LayerNormalization", value, *weights, axis=-1, epsilon=op.eps)

    return moved_last(normal, x, shape)


@ROWS.row(GroupNorm)
def group_norm(op: GroupNorm, site: Site) -> Operand:
    """`GroupNormalization` from opset 21, where its scale is for channels; before it by instances."""
    (x,), (shape,) = site.inputs, site.shapes
    channels = shape.axis("c")
    if site.opset >= 21:
        weights = site.weights or (_filled(1, channels), _filled(0, channels))
        return node(
            "GroupNormalization",
            x,
            *weights,
            num_groups=op.groups,
            epsilon=op.eps,
            stash_type=_DOUBLE if site.double else _FLOAT,
        )
    grouped = node("Reshape", x, integers(0, op.groups, -1))
    ones, zeros = _filled(1, op.groups), _filled(0, op.groups)
    normal = node("InstanceNormalization", grouped, ones, zeros, epsilon=op.eps)
    y: Operand = node("Reshape", normal, node("Shape", x))
    if site.weights:
        scale, shift = (per_channel(weight, shape) for weight in site.weights)
        y = node("Add", node("Mul", y, scale), shift)
    return y


@ROWS.row(InstanceNorm)
def instance_norm(op: InstanceNorm, site: Site) -> Operand:
    """`InstanceNormalization`, which always has a scale and a shift."""
    channels = site.shapes[0].axis("c")
    weights = site.weights or (_filled(1, channels), _filled(0, channels))
    return node("InstanceNormalization", *site.inputs, *weights, epsilon=op.eps)


@ROWS.row(RmsNorm)
def rms_norm(op: RmsNorm, site: Site) -> Operand:
    """By its definition: `RMSNormalization` exists from opset 23 alone, and for the last axes."""
    (x,), (shape,) = site.inputs, site.shapes
    mean = reduced("ReduceMean", site, axis_of(shape, "c"), of=node("Mul", x, x), keep=True)
    normal = node("Div", x, node("Sqrt", node("Add", mean, number(op.eps))))
    return node("Mul", normal, per_channel(site.weights[0], shape)) if op.affine else normal


@ROWS.row(LocalResponseNorm)
def local_response_norm(op: LocalResponseNorm, site: Site) -> Operand:
    """`LRN` calls k the bias; ONNX Runtime takes neither an alpha nor a beta of 0, which look at no channel."""
    if op.alpha == 0 or op.beta == 0:
        return node("Div", *site.inputs, number(op.k**op.beta))
    return node("LRN", *site.inputs, size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)


@ROWS.row(L2Normalise)
def l2_normalise(op: L2Normalise, site: Site) -> Operand:
    """By its definition: `LpNormalization` has no least length."""
    (x,), (shape,) = site.inputs, site.shapes
    length = reduced("ReduceL2", site, axis_of(shape, op.axis), keep=True)
    return node("Div", x, node("Max", length, number(op.eps)))
