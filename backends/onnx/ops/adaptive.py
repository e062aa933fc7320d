"""Pools over bins and over whole maps: how ONNX realises them."""

from __future__ import annotations

from netspec.backends.onnx.ops.pool import over_map
from netspec.backends.onnx.rows import ROWS, Operand, Site, integers, node, reduced
from netspec.ops.adaptive import AdaptiveAveragePool, AdaptiveMaxPool, GlobalMaxPool, bins


@ROWS.row(AdaptiveAveragePool)
def adaptive_average_pool(op: AdaptiveAveragePool, site: Site) -> Operand:
    """`AveragePool` where the bins are of one size, else bin by bin."""
    return _pooled("AveragePool", "ReduceMean", op, site)


@ROWS.row(AdaptiveMaxPool)
def adaptive_max_pool(op: AdaptiveMaxPool, site: Site) -> Operand:
    """`MaxPool` where the bins are of one size, else bin by bin."""
    return _pooled("MaxPool", "ReduceMax", op, site)


def _pooled(
    pool: str, reduction: str, op: AdaptiveAveragePool | AdaptiveMaxPool, site: Site
) -> Operand:
    if set(op.sizes) == {1}:
        return over_map(reduction, site, keep=True)
    (shape,) = site.shapes
    window = op.window(shape)
    if window is not None:
        return node(pool, *site.inputs, kernel_shape=window, strides=window)
    value: Operand = site.inputs[0]
    for axis, (size, count) in enumerate(zip(shape.spatial, op.sizes, strict=True), start=2):
        if count == 1:
            value = reduced(reduction, site, axis, of=value, keep=True)
        elif count != size:
            value = _binned(reduction, site, value, axis, bins(size, count))
    return value


def _binned(
    reduction: str, site: Site, x: Operand, axis: int, places: list[tuple[int, int]]
) -> Operand:
    """One axis reduced bin by bin, since the bins of each axis are taken apart."""
    parts = [
        node("Slice", x, integers(start), integers(end), integers(axis)) for start, end in places
    ]
    reductions = [reduced(reduction, site, axis, of=part, keep=True) for part in parts]
    return node("Concat", *reductions, axis=axis)


@ROWS.row(GlobalMaxPool)
def global_max_pool(op: GlobalMaxPool, site: Site) -> Operand:
    """`ReduceMax`: onnx's reference evaluator takes `GlobalMaxPool` over the wrong axes but for images."""
    return over_map("ReduceMax", site, op.keep)
