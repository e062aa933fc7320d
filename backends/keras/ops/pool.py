"""Pools: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.layer import Layer, chain, single
from netspec.backends.keras.rows import (
    ROWS,
    Pairs,
    around,
    has_size,
    pad_pairs,
    same_padding,
)
from netspec.emit.source import Call, Expr, short
from netspec.ops.pool import AveragePool, GlobalAveragePool, L2Pool, MaxPool, ceil_surplus
from netspec.shape import Shape


def _surplus(op: MaxPool | AveragePool | L2Pool, x: Shape) -> Pairs:
    """What `ceil` lets the last windows see beyond the padding."""
    assert op.stride is not None
    axes = zip(x.spatial, op.kernel, op.stride, pad_pairs(op.padding), strict=True)
    return [(0, ceil_surplus(*axis) if op.ceil else 0) for axis in axes]


def _sum(a: Pairs, b: Pairs) -> Pairs:
    return [(a0 + b0, a1 + b1) for (a0, a1), (b0, b1) in zip(a, b, strict=True)]


def _pool(func: str, op: MaxPool | AveragePool | L2Pool, **keywords: Expr) -> Call:
    assert op.stride is not None
    kernel = short(op.kernel)
    return Call(
        f"{func}{len(op.kernel)}D",
        {"pool_size": kernel},
        {"strides": short(op.stride), **keywords},
        {"strides": kernel, "padding": "valid"},
    )


def _max_pool_limit(op: MaxPool, _x: Shape) -> str | None:
    return "Keras's pools take no dilation" if max(op.dilation) > 1 else None


@ROWS.row(MaxPool, limit=_max_pool_limit)
def max_pool(op: MaxPool, x: Shape) -> Layer:
    """Padding is minus infinity, as in Keras's own "same"."""
    assert op.stride is not None
    if op.padding == "same":
        return single(_pool("layers.MaxPooling", op, padding="same"))
    pairs = _sum(pad_pairs(op.padding), _surplus(op, x))
    if not has_size(pairs):
        return single(_pool("layers.MaxPooling", op))
    if pairs == same_padding(x, op.kernel, op.stride, (1,) * len(op.kernel)):
        return single(_pool("layers.MaxPooling", op, padding="same"))
    return chain(("pad", around("LowPadding", pairs)), ("", _pool("layers.MaxPooling", op)))


def _l2_pool_limit(op: L2Pool, _x: Shape) -> str | None:
    if op.padding == "same":
        return "Keras pads no zeros for an average pool, and a size is known only at run time"
    return None


@ROWS.row(L2Pool, limit=_l2_pool_limit)
def l2_pool(op: L2Pool, x: Shape) -> Layer:
    """An average pool of squares, in a class of the file."""
    pairs = _sum(pad_pairs(op.padding), _surplus(op, x))
    pool = ("", _pool("L2Pooling", op))
    return (
        chain(("pad", around("layers.ZeroPadding", pairs)), pool)
        if has_size(pairs)
        else chain(pool)
    )


def _average_pool_limit(op: AveragePool, _x: Shape) -> str | None:
    if op.padding == "same":
        return "some of Keras's backends count uneven padding, and a size is known only at run time"
    return None


@ROWS.row(AveragePool, limit=_average_pool_limit)
def average_pool(op: AveragePool, x: Shape) -> Layer:
    """Padding that counts is a layer of its own; of what does not count, Keras's "same" knows the even kind.

    Where "same" is lopsided, Keras counts it on some of its backends.
    """
    assert op.stride is not None
    none = [(0, 0)] * len(op.kernel)
    counted, uncounted = (
        (pad_pairs(op.padding), none) if op.count_padding else (none, pad_pairs(op.padding))
    )
    uncounted = _sum(uncounted, _surplus(op, x))
    steps = [("pad", around("layers.ZeroPadding", counted))] if has_size(counted) else []
    if not has_size(uncounted):
        pool = _pool("layers.AveragePooling", op)
    elif (
        not steps
        and uncounted == same_padding(x, op.kernel, op.stride, (1,) * len(op.kernel))
        and all(before == after for before, after in uncounted)
    ):
        pool = _pool("layers.AveragePooling", op, padding="same")
    else:
        pool = _pool("PartialAveragePooling", op, margins=tuple(uncounted))
    return chain(*steps, ("", pool))


@ROWS.row(GlobalAveragePool)
def global_average_pool(op: GlobalAveragePool, x: Shape) -> Layer:
    """The mean over the spatial axes."""
    return over_map("Average", x, op.keep)


def over_map(func: str, x: Shape, keep: bool) -> Layer:
    """The pool of a whole map, which stays with a size of 1 or goes."""
    name = f"layers.Global{func}Pooling{len(x.spatial)}D"
    return single(Call(name, {}, {"keepdims": keep}, {"keepdims": False}))
