"""One row for each op: how PyTorch realises it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from netspec.backend import Rows
from netspec.backends.torch.layer import MODULE, Layer, X, arg, function, method
from netspec.emit.source import Call, Expr, Infix, Items, Subscript, call, short
from netspec.ops import (
    Add,
    AveragePool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Gelu,
    GlobalAveragePool,
    LeakyRelu,
    LogSoftmax,
    Maximum,
    MaxPool,
    Mean,
    Multiply,
    Relu,
    Relu6,
    Sigmoid,
    Silu,
    Softmax,
    Subtract,
    Tanh,
)
from netspec.ops.pool import ceil_surplus
from netspec.shape import Shape, split_pads

Row: TypeAlias = Callable[..., Layer]
ROWS: Rows[Row] = Rows("torch")

_DIM = {"vector": 1, "image": 2, "volume": 3}
_CONV_DEFAULTS = {
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "dilation": 1,
    "groups": 1,
    "bias": True,
}


def _symmetric(pads: Sequence[int]) -> bool:
    return all(before == after for before, after in split_pads(pads))


def _around(pads: Sequence[int]) -> tuple[int, ...]:
    """Padding in the order of `F.pad`: the last axis first, before and after together."""
    return tuple(side for pair in reversed(split_pads(pads)) for side in pair)


def _applied_to(expr: Expr) -> Call:
    return Call(MODULE, {"0": expr})


@ROWS.row(Conv)
def conv(op: Conv, x: Shape) -> Layer:
    """Uneven padding is a step of its own: PyTorch's convolutions pad both sides alike."""
    assert isinstance(op.padding, tuple)
    even = _symmetric(op.padding)
    module = Call(
        f"nn.Conv{len(op.kernel)}d",
        {"in_channels": x.axis("c"), "out_channels": op.filters, "kernel_size": short(op.kernel)},
        {
            "stride": short(op.stride),
            "padding": short(op.padding[: len(op.kernel)]) if even else 0,
            "dilation": short(op.dilation),
            "groups": op.groups,
            "bias": op.bias,
        },
        _CONV_DEFAULTS,
    )
    if even:
        return Layer(module, heavy=True)
    return Layer(module, _applied_to(call("F.pad", X, _around(op.padding))), heavy=True)


@ROWS.row(ConvTranspose)
def conv_transpose(op: ConvTranspose, x: Shape) -> Layer:
    """What must be cut from one side only is cut afterwards, by negative padding."""
    assert isinstance(op.padding, tuple)
    pairs = split_pads(op.padding)
    common = [min(pair) for pair in pairs]
    module = Call(
        f"nn.ConvTranspose{len(op.kernel)}d",
        {"in_channels": x.axis("c"), "out_channels": op.filters, "kernel_size": short(op.kernel)},
        {
            "stride": short(op.stride),
            "padding": short(common),
            "output_padding": short(op.output_padding),
            "groups": op.groups,
            "bias": op.bias,
            "dilation": short(op.dilation),
        },
        _CONV_DEFAULTS,
    )
    if _symmetric(op.padding):
        return Layer(module, heavy=True)
    cut = [(p - before, p - after) for p, (before, after) in zip(common, pairs, strict=True)]
    sides = tuple(side for pair in reversed(cut) for side in pair)
    return Layer(module, call("F.pad", _applied_to(X), sides), heavy=True)


@ROWS.row(Dense)
def dense(op: Dense, x: Shape) -> Layer:
    """`Linear` acts on the last axis, which holds the features of vectors and sequences."""
    positional = {"in_features": x.axis("c"), "out_features": op.units}
    return Layer(Call("nn.Linear", positional, {"bias": op.bias}, {"bias": True}), heavy=True)


@ROWS.row(BatchNorm)
def batch_norm(op: BatchNorm, x: Shape) -> Layer:
    """PyTorch's momentum is the weight of the new batch, as in the spec."""
    keywords = {"eps": op.eps, "momentum": op.momentum, "affine": op.affine}
    defaults = {"eps": 1e-5, "momentum": 0.1, "affine": True}
    dim = _DIM[x.kind]
    return Layer(Call(f"nn.BatchNorm{dim}d", {"num_features": x.axis("c")}, keywords, defaults))


@ROWS.row(Dropout)
def dropout(op: Dropout, _x: Shape) -> Layer:
    """Inverted dropout, as in the spec."""
    return Layer(Call("nn.Dropout", {"p": op.rate}))


def _activation(func: str) -> Row:
    def row(_op: Any, _x: Shape) -> Layer:
        return Layer(Call(func), shared=True)

    return row


for _op, _func in (
    (Relu, "nn.ReLU"),
    (Relu6, "nn.ReLU6"),
    (Sigmoid, "nn.Sigmoid"),
    (Tanh, "nn.Tanh"),
    (Silu, "nn.SiLU"),
):
    ROWS.row(_op)(_activation(_func))


@ROWS.row(LeakyRelu)
def leaky_relu(op: LeakyRelu, _x: Shape) -> Layer:
    """The same default slope as the spec's."""
    call_ = Call("nn.LeakyReLU", {}, {"negative_slope": op.slope}, {"negative_slope": 0.01})
    return Layer(call_, shared=True)


@ROWS.row(Gelu)
def gelu(op: Gelu, _x: Shape) -> Layer:
    """Exact by default in both."""
    approximate = "tanh" if op.form == "tanh" else "none"
    return Layer(
        Call("nn.GELU", {}, {"approximate": approximate}, {"approximate": "none"}), shared=True
    )


@ROWS.row(Softmax)
def softmax(_op: Softmax, x: Shape) -> Layer:
    """Along the features."""
    return Layer(Call("nn.Softmax", {}, {"dim": 1 + x.axes.index("c")}), shared=True)


@ROWS.row(LogSoftmax)
def log_softmax(_op: LogSoftmax, x: Shape) -> Layer:
    """Along the features."""
    return Layer(Call("nn.LogSoftmax", {}, {"dim": 1 + x.axes.index("c")}), shared=True)


def _native_padding(op: MaxPool | AveragePool) -> bool:
    """PyTorch's pools pad both sides alike, by at most half a window."""
    assert isinstance(op.padding, tuple)
    return _symmetric(op.padding) and all(
        2 * before <= kernel for before, kernel in zip(op.padding, op.kernel, strict=False)
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
    assert isinstance(op.padding, tuple)
    assert op.stride is not None
    rank = len(op.kernel)
    if _native_padding(op):
        return Layer(_pool(op, "MaxPool", op.padding[:rank], op.ceil))
    pairs = split_pads(op.padding)
    surplus = [
        ceil_surplus(n, k, s, pads) if op.ceil else 0
        for n, k, s, pads in zip(x.spatial, op.kernel, op.stride, pairs, strict=True)
    ]
    wide = tuple(before for before, _ in pairs)
    wide += tuple(after + extra for (_, after), extra in zip(pairs, surplus, strict=True))
    padded = call("F.pad", X, _around(wide), value=call("float", "-inf"))
    return Layer(_pool(op, "MaxPool", (0,) * rank, ceil=False), _applied_to(padded))


def _average_pool_limit(op: AveragePool, _x: Shape) -> str | None:
    if op.ceil and not _native_padding(op):
        return "PyTorch's average pool has no rule for `ceil` together with uneven or wide padding"
    return None


@ROWS.row(AveragePool, limit=_average_pool_limit)
def average_pool(op: AveragePool, _x: Shape) -> Layer:
    """Uneven padding that does not count is divided out by the pool of a map of ones."""
    assert isinstance(op.padding, tuple)
    counts = bool(op.count_padding)
    rank = len(op.kernel)
    if _native_padding(op):
        padding = op.padding[:rank]
        return Layer(
            _pool(op, "AvgPool", padding, op.ceil, count_include_pad=counts or not any(padding))
        )
    module = _pool(op, "AvgPool", (0,) * rank, ceil=False)
    pads = _around(op.padding)
    total = _applied_to(call("F.pad", X, pads))
    if counts:
        return Layer(module, total)
    ones = call("torch.ones_like", Subscript(X, ":1, :1"))
    return Layer(module, Infix("/", (total, _applied_to(call("F.pad", ones, pads)))))


@ROWS.row(GlobalAveragePool)
def global_average_pool(_op: GlobalAveragePool, x: Shape) -> Layer:
    """The mean over the spatial axes."""
    return method("mean", dim=tuple(range(2, 2 + len(x.spatial))))


@ROWS.row(Flatten)
def flatten(_op: Flatten, _x: Shape) -> Layer:
    """PyTorch's own layout is the spec's."""
    return method("flatten", 1, sequential=Call("nn.Flatten"))


def _infix(operator: str, count: int) -> Expr:
    return Infix(operator, tuple(arg(i) for i in range(count)))


@ROWS.row(Add)
def add(_op: Add, *xs: Shape) -> Layer:
    """A sum."""
    return Layer(forward=_infix("+", len(xs)))


@ROWS.row(Subtract)
def subtract(_op: Subtract, *xs: Shape) -> Layer:
    """A difference."""
    return Layer(forward=_infix("-", len(xs)))


@ROWS.row(Multiply)
def multiply(_op: Multiply, *xs: Shape) -> Layer:
    """A vector beside images is spread over their positions."""
    spatial = max(len(x.spatial) for x in xs)
    gate = ":, :" + ", None" * spatial
    factors = [
        Subscript(arg(i), gate) if len(x.spatial) < spatial else arg(i) for i, x in enumerate(xs)
    ]
    return Layer(forward=Infix("*", tuple(factors)))


@ROWS.row(Maximum)
def maximum(_op: Maximum, *xs: Shape) -> Layer:
    """Pair by pair."""
    expr: Expr = X
    for i in range(1, len(xs)):
        expr = call("torch.maximum", expr, arg(i))
    return Layer(forward=expr)


@ROWS.row(Mean)
def mean(_op: Mean, *xs: Shape) -> Layer:
    """The sum over the count."""
    return Layer(forward=Infix("/", (_infix("+", len(xs)), len(xs))))


@ROWS.row(Concat)
def concat(op: Concat, *xs: Shape) -> Layer:
    """Axes count from the batch."""
    branches = Items(tuple(arg(i) for i in range(len(xs))))
    return function("torch.cat", branches, dim=1 + xs[0].axes.index(op.axis))
