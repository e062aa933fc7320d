"""Pools: how PyTorch realises them."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.backends.torch.layer import Layer, X
from netspec.backends.torch.rows import ROWS, applied_to, around, padded_at_run_time, symmetric
from netspec.dim import Dim
from netspec.emit.source import Call, Expr, Infix, Subscript, call, short
from netspec.ops.pool import AveragePool, GlobalAveragePool, L2Pool, MaxPool, ceil_surplus
from netspec.shape import Shape, join_pads, split_pads


def _native_padding(op: MaxPool | AveragePool) -> bool:
    """PyTorch's pools pad both sides alike, by at most half a window."""
    return (
        isinstance(op.padding, tuple)
        and symmetric(op.padding)
        and all(2 * before <= kernel for before, kernel in zip(op.padding, op.kernel, strict=False))
    )


def _around(op: MaxPool | L2Pool, x: Shape) -> Expr:
    """All that windows see beyond the input, that of `ceil` too, for `F.pad`."""
    assert op.stride is not None
    if isinstance(op.padding, str):
        return padded_at_run_time(X, op.kernel, op.stride, op.dilations)
    pairs = split_pads(op.padding)
    surplus = [
        ceil_surplus(n, k, s, pads) if op.ceil else 0
        for n, k, s, pads in zip(x.spatial, op.extents, op.stride, pairs, strict=True)
    ]
    wide = [(before, after + extra) for (before, after), extra in zip(pairs, surplus, strict=True)]
    return around(join_pads(wide))


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
    defaults = {
        "stride": kernel,
        "padding": 0,
        "ceil_mode": False,
        "count_include_pad": True,
        "dilation": 1,
    }
    return Call(f"nn.{func}{len(op.kernel)}d", {"kernel_size": kernel}, keywords, defaults)


@ROWS.row(MaxPool)
def max_pool(op: MaxPool, x: Shape) -> Layer:
    """Padding that PyTorch's pool cannot do itself is minus infinity, which never wins."""
    rank = len(op.kernel)
    dilation = short(op.dilation)
    if _native_padding(op):
        assert isinstance(op.padding, tuple)
        return Layer(_pool(op, "MaxPool", op.padding[:rank], op.ceil, dilation=dilation))
    padded = call("F.pad", X, _around(op, x), value=call("float", "-inf"))
    module = _pool(op, "MaxPool", (0,) * rank, ceil=False, dilation=dilation)
    return Layer(module, applied_to(padded))


@ROWS.row(L2Pool)
def l2_pool(op: L2Pool, x: Shape) -> Layer:
    """PyTorch's pool has no padding, and its `ceil_mode` counts a window's missing elements."""
    assert op.stride is not None
    kernel = short(op.kernel)
    positional: dict[str, Expr] = {"norm_type": 2, "kernel_size": kernel}
    module = Call(
        f"nn.LPPool{len(op.kernel)}d",
        positional,
        {"stride": short(op.stride)},
        {"stride": kernel},
    )
    if not op.ceil and isinstance(op.padding, tuple) and not any(op.padding):
        return Layer(module)
    return Layer(module, applied_to(call("F.pad", X, _around(op, x))))


def _average_pool_limit(op: AveragePool, x: Shape) -> str | None:
    if not op.ceil or op.padding == "same":
        return None
    if not _native_padding(op):
        return "PyTorch's average pool has no rule for `ceil` together with uneven or wide padding"
    if _is_small(op, x):
        return "PyTorch's average pool takes no volume smaller than its window together with `ceil`"
    return None


def _is_small(op: AveragePool, x: Shape) -> bool:
    """Whether a volume may be smaller than its window before it is padded, which PyTorch's layer refuses."""
    padded = isinstance(op.padding, tuple) and any(op.padding)
    sides = zip(x.spatial, op.kernel, strict=True)
    return padded and len(op.kernel) == 3 and any(isinstance(n, Dim) or n < k for n, k in sides)


@ROWS.row(AveragePool, limit=_average_pool_limit)
def average_pool(op: AveragePool, x: Shape) -> Layer:
    """Uneven padding that does not count is divided out by the pool of a map of ones."""
    counts = bool(op.count_padding)
    rank = len(op.kernel)
    if _native_padding(op) and not _is_small(op, x):
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
def global_average_pool(op: GlobalAveragePool, x: Shape) -> Layer:
    """The mean over the spatial axes."""
    return over_map("mean", x, op.keep)


def over_map(func: str, x: Shape, keep: bool) -> Layer:
    """A reduction of the axes that windows move over, as a method of the tensor."""
    axes = tuple(1 + place for place, letter in enumerate(x.axes) if letter != "c")
    dim = axes if len(axes) > 1 else axes[0]
    return Layer(forward=Call(func, {}, {"dim": dim, "keepdim": keep}, {"keepdim": False}, X))
