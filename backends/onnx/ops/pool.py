"""Pools: how ONNX realises them."""

from __future__ import annotations

from math import inf
from operator import ge
from typing import Any

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    axis_of,
    integers,
    node,
    number,
    padded,
    reduced,
)
from netspec.ops.pool import AveragePool, GlobalAveragePool, L2Pool, MaxPool, ceil_surplus
from netspec.shape import Shape, join_pads, split_pads


def _pool_limit(op: MaxPool | AveragePool, _x: Shape) -> str | None:
    assert op.stride is not None
    if op.padding == "same" and any(map(int.__lt__, op.kernel, op.stride)):
        return "its pools have no `auto_pad` for a stride beyond the window, and a size is known only at run time"
    return None


@ROWS.row(MaxPool, limit=_pool_limit)
def max_pool(op: MaxPool, site: Site) -> Operand:
    """`MaxPool`; padding counts as minus infinity, and ONNX Runtime takes none as wide as the kernel."""
    x: Operand = site.inputs[0]
    pads = (
        op.padding if isinstance(op.padding, str) else _with_surplus(op, op.padding, site.shapes[0])
    )
    if isinstance(pads, tuple) and any(map(ge, pads, op.kernel * 2)):
        rim = join_pads([(0, 0), (0, 0), *split_pads(pads)])
        x, pads = node("Pad", x, integers(*rim), number(-inf)), (0,) * len(pads)
    return node("MaxPool", x, **_window(op, pads), dilations=op.dilation)


@ROWS.row(L2Pool)
def l2_pool(op: L2Pool, site: Site) -> Operand:
    """`LpPool`; what `ceil` adds is zeros like all padding."""
    pads = (
        op.padding if isinstance(op.padding, str) else _with_surplus(op, op.padding, site.shapes[0])
    )
    return node("LpPool", *site.inputs, **_window(op, pads), p=2)


@ROWS.row(AveragePool, limit=_pool_limit)
def average_pool(op: AveragePool, site: Site) -> Operand:
    """`AveragePool`; padding may count, but the surplus of `ceil` never does."""
    (x,), (shape,) = site.inputs, site.shapes
    if op.padding == "same":
        return node(
            "AveragePool", x, **_window(op, "same"), count_include_pad=int(op.count_padding or 0)
        )
    assert isinstance(op.padding, tuple)
    none = (0,) * len(op.padding)
    surplus = _with_surplus(op, none, shape)
    if not op.count_padding:
        pads = _with_surplus(op, op.padding, shape)
        return node("AveragePool", x, **_window(op, pads), count_include_pad=0)
    if surplus == none:
        return node("AveragePool", x, **_window(op, op.padding), count_include_pad=1)
    rim = [(0, 0), (0, 0), *split_pads(op.padding)]
    framed = node("Pad", x, integers(*join_pads(rim))) if any(op.padding) else x
    return node("AveragePool", framed, **_window(op, surplus), count_include_pad=0)


def _with_surplus(
    op: MaxPool | AveragePool | L2Pool, pads: tuple[int, ...], x: Shape
) -> tuple[int, ...]:
    """`pads` with what `ceil` adds behind them: `ceil_mode` counts otherwise below opset 22."""
    assert isinstance(op.padding, tuple)
    assert op.stride is not None
    if not op.ceil:
        return pads
    own = split_pads(op.padding)
    surplus = map(ceil_surplus, x.spatial, op.extents, op.stride, own)
    return join_pads(
        [
            (before, after + more)
            for (before, after), more in zip(split_pads(pads), surplus, strict=True)
        ]
    )


def _window(op: MaxPool | AveragePool | L2Pool, pads: tuple[int, ...] | str) -> dict[str, Any]:
    return {"kernel_shape": op.kernel, "strides": op.stride, **padded(pads)}


@ROWS.row(GlobalAveragePool)
def global_average_pool(op: GlobalAveragePool, site: Site) -> Operand:
    """`ReduceMean` only where the channels are last: before it ONNX Runtime leaves its blocked layout."""
    return over_map("ReduceMean", site, op.keep)


def over_map(reduction: str, site: Site, keep: bool) -> Operand:
    """A reduction over the whole map, which stays with a size of 1 or goes."""
    (shape,) = site.shapes
    if reduction == "ReduceMean" and shape.axes != "tc":
        pooled = node("GlobalAveragePool", *site.inputs)
        return pooled if keep else node("Flatten", pooled, axis=1)
    axes = (axis_of(shape, letter) for letter in shape.axes if letter != "c")
    return reduced(reduction, site, *axes, keep=keep)
