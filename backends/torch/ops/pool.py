"""Pools: how PyTorch realises them."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.backends.torch.layer import Layer, X, method
from netspec.backends.torch.rows import ROWS, applied_to, around, padded_at_run_time, symmetric
from netspec.emit.source import Call, Expr, Infix, Subscript, call, short
from netspec.ops.pool import AveragePool, GlobalAveragePool, MaxPool, ceil_surplus
from netspec.shape import Shape, split_pads


def _native_padding(op: MaxPool | AveragePool) -> bool:
    """PyTorch's pools pad both sides alike, by at most half a window."""
    return (
        isinstance(op.padding, tuple)
        and symmetric(op.padding)
        and all(2 * before <= kernel for before, kernel in zip(op.padding, op.kernel, strict=False))
    )


def _pool(
    op: MaxPool | AveragePool, func: str, padding: Sequence[int], ceil: bool, **more: Expr
) -> Call:
    assert op.stride is not None
    kernel, stride = short(op.kernel), short(op.stride)
    keywords: dict[str, Expr] = {
        "stride": stride,
        "padding": short(padding),
        "ceil_mode": ceil,
        **more,
    }
    defaults = {"stride": kernel, "padding": 0, "ceil_mode": False, "count_include_pad": True}
    return Call(f"nn.{func}{len(op.kernel)}d", {"kernel_size": kernel}, keywords, defaults)


@ROWS.row(MaxPool)
def max_pool(op: MaxPool, x: Shape) -> Layer:
    """Padding that PyTorch's pool cannot do itself is minus infinity, which never wins."""
    assert op.stride is not None
    rank = len(op.kernel)
    low = call("float", "-inf")
    if op.padding == "same":
        pads = padded_at_run_time(X, op.kernel, op.stride)
        padded = call("F.pad", X, pads, value=low)
        return Layer(_pool(op, "MaxPool", (0,) * rank, ceil=False), applied_to(padded))
    assert isinstance(op.padding, tuple)
    if _native_padding(op):
        return Layer(_pool(op, "MaxPool", op.padding[:rank], op.ceil))
    pairs = split_pads(op.padding)
    surplus = [
        ceil_surplus(n, k, s, pads) if op.ceil else 0
        for n, k, s, pads in zip(x.spatial, op.kernel, op.stride, pairs, strict=True)
    ]
    wide = tuple(before for before, _ in pairs)
    wide += tuple(after + extra for (_, after), extra in zip(pairs, surplus, strict=True))
    padded = call("F.pad", X, around(wide), value=low)
    return Layer(_pool(op, "MaxPool", (0,) * rank, ceil=False), applied_to(padded))


def _average_pool_limit(op: AveragePool, _x: Shape) -> str | None:
    if op.ceil and op.padding != "same" and not _native_padding(op):
        return "PyTorch's average pool has no rule for `ceil` together with uneven or wide padding"
    return None


@ROWS.row(AveragePool, limit=_average_pool_limit)
def average_pool(op: AveragePool, _x: Shape) -> Layer:
    """Uneven padding that does not count is divided out by the pool of a map of ones."""
    counts = bool(op.count_padding)
    rank = len(op.kernel)
    if _native_padding(op):
        assert isinstance(op.padding, tuple)
        padding = op.padding[:rank]
        return Layer(
            _pool(op, "AvgPool", padding, op.ceil, count_include_pad=counts or not any(padding))
        )
    module = _pool(op, "AvgPool", (0,) * rank, ceil=False)
    if isinstance(op.padding, tuple):
        pads: Expr = around(op.padding)
    else:
        assert op.stride is not None
        pads = padded_at_run_time(X, op.kernel, op.stride)
    total = applied_to(call("F.pad", X, pads))
    if counts:
        return Layer(module, total)
    ones = call("torch.ones_like", Subscript(X, ":1, :1"))
    return Layer(module, Infix("/", (total, applied_to(call("F.pad", ones, pads)))))


@ROWS.row(GlobalAveragePool)
def global_average_pool(_op: GlobalAveragePool, x: Shape) -> Layer:
    """The mean over the spatial axes."""
    axes = tuple(1 + i for i, letter in enumerate(x.axes) if letter != "c")
    return method("mean", dim=axes if len(axes) > 1 else axes[0])
