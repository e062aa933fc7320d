"""Attention: how ONNX realises it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from netspec.backends.onnx.flat import joined
from netspec.backends.onnx.noise import dropped
from netspec.backends.onnx.rows import (
    ROWS,
    WITH_ATTENTION,
    Constant,
    Operand,
    Site,
    integers,
    node,
    number,
    singles,
    takes_flat,
)
from netspec.dim import Dim
from netspec.ops.attention import Attention, ScaledDotProduct
from netspec.shape import Shape


@ROWS.row(Attention)
@takes_flat(Attention, but=lambda op: op.mask, attends=True)
def attention(op: Attention, site: Site) -> Operand:
    """`Gemm` for the maps; between them `Attention` from opset 23, before it what it stands for."""
    roles = op.roles(len(site.inputs))
    sources = [site.inputs[i] for i in roles[:3]]
    weights = dict(zip((w.name for w in op.weights(*site.shapes)), site.weights, strict=True))
    if "in_proj_weight" in weights and len({*roles[:3]}) == 1:
        # One map for all: in ONNX Runtime a large `Gemm` takes less time than three.
        packed = [weights[name] for name in ("in_proj_weight", "in_proj_bias") if name in weights]
        parts = _pieces(node("Gemm", sources[0], *packed, transB=1), op.widths, -1)
    else:
        maps = zip(sources, _maps(op, weights), strict=True)
        parts = [node("Gemm", x, *each, transB=1) for x, each in maps]
    output = [weights[name] for name in ("out_proj.weight", "out_proj.bias") if name in weights]
    return node("Gemm", _attend(op, site, parts, op.sizes), *output, transB=1)


@ROWS.row(ScaledDotProduct)
@takes_flat(ScaledDotProduct, but=lambda op: op.mask, attends=True)
def sdpa(op: ScaledDotProduct, site: Site) -> Operand:
    """As within `attention`."""
    parts = [site.inputs[i] for i in op.roles(len(site.inputs))[:3]]
    return _attend(op, site, parts, op.split(*site.shapes))


def _maps(op: Attention, weights: Mapping[str, Operand]) -> list[tuple[Operand, ...]]:
    """The weight and the bias, if any, of query, key and value, cut out of the packed ones."""
    packed, biases = weights.get("in_proj_weight"), weights.get("in_proj_bias")
    if packed is None:
        own: list[Operand] = [weights[f"{letter}_proj_weight"] for letter in "qkv"]
    else:
        own = _pieces(packed, op.widths, 0)
    added = [] if biases is None else [_pieces(biases, op.widths, 0)]
    return list(zip(own, *added, strict=True))


def _pieces(value: Operand, sizes: Sequence[int], axis: int) -> list[Operand]:
    """A tensor in pieces of these sizes along an axis."""
    split = node("Split", value, integers(*sizes), axis=axis)
    return [split._replace(result=i) for i in range(len(sizes))]


def _attend(
    op: Attention | ScaledDotProduct,
    site: Site,
    parts: Sequence[Operand],
    sizes: tuple[int, int, int],
) -> Operand:
    """Softmax of the scores times the values: of flat queries, keys and values a flat result.

    `sizes` are the heads of the queries, those of keys and values, and the features of each.
    """
    heads, kv_heads, head_dim = sizes
    counts = (heads, kv_heads, kv_heads)
    roles = op.roles(len(site.inputs))
    shapes = [site.shapes[i] for i in roles[:3]]
    split: list[Operand] = [
        site.numbering.apart(part, shape, count, head_dim)
        for part, shape, count in zip(parts, shapes, counts, strict=True)
    ]
    rate = 0.0
    if isinstance(op, Attention):
        rate = op.dropout if op.samples else rate
        if op.rotary:
            turned = zip(split[:2], shapes[:2], strict=True)
            split[:2] = [_turned(op, site, part, shape) for part, shape in turned]
    mask = [] if roles.mask is None else [_mask(op, site, roles.mask)]
    if site.opset >= WITH_ATTENTION and shapes[0].axes == "tc" and rate == 0:
        whole = [
            site.numbering.apart(part, shape, count * head_dim)
            for part, shape, count in zip(split, shapes, counts, strict=True)
        ]
        how = {"q_num_heads": heads, "kv_num_heads": kv_heads, "scale": op.factor}
        value = node("Attention", *whole, *mask, **how, is_causal=int(op.causal))
        return joined(value, heads * head_dim)
    if heads > kv_heads:
        shared = integers(*(i // (heads // kv_heads) for i in range(heads)))
        split[1:] = [node("Gather", each, shared, axis=-2) for each in split[1:]]
    order = _heads_in_front(site, shapes[0])
    last = len(order) - 1
    q, v = (node("Transpose", each, perm=order) for each in (split[0], split[2]))
    k = node("Transpose", split[1], perm=(*order[:-2], order[-1], order[-2]))
    scores = node("Mul", node("MatMul", q, k), number(op.factor))
    if mask:
        scores = node("Add", scores, *mask)
    if op.causal:
        scores = node("Add", scores, _hidden(scores, site))
    shares = dropped(site, node("Softmax", scores, axis=last), rate)
    back = tuple(order.index(axis) for axis in range(len(order)))
    value = node("Transpose", node("MatMul", shares, v), perm=back)
    return joined(value, heads * head_dim)


def _heads_in_front(site: Site, shape: Shape) -> tuple[int, ...]:
    """What makes `(n, ..., h, t, d)` of flat heads taken apart."""
    if site.numbering.steps_first(shape):
        return (1, 2, 0, 3)
    rank = len(shape.sizes) + 2
    return (*range(rank - 3), rank - 2, rank - 3, rank - 1)


def _mask(op: Attention | ScaledDotProduct, site: Site, place: int) -> Operand:
    """The mask with the axes of the scores."""
    gap = op.mask_gap(*site.shapes)
    mask = site.inputs[place]
    return node("Unsqueeze", mask, integers(*range(1, 1 + gap))) if gap else mask


def _turned(op: Attention, site: Site, x: Operand, shape: Shape) -> Operand:
    """Each pair of features (i, i + d / 2) of flat heads taken apart turned by its position."""
    angles = op.turns(shape.axis("t"))
    half = op.sizes[2] // 2
    behind = (1, 1) if site.numbering.steps_first(shape) else (1,)
    sizes = (shape.axis("t"), *behind, half)
    cos, sin = (
        singles([f(angle) for row in angles for angle in row], sizes) for f in (math.cos, math.sin)
    )
    low, high = _pieces(x, (half, half), -1)
    first = node("Sub", node("Mul", low, cos), node("Mul", high, sin))
    second = node("Add", node("Mul", high, cos), node("Mul", low, sin))
    return node("Concat", first, second, axis=-1)


def _hidden(scores: Operand, site: Site) -> Operand:
    """Minus infinity for each key behind its query, and zero elsewhere."""
    steps = [shape.axis("t") for shape in site.shapes[:2]]
    steps = steps if len(steps) > 1 else steps * 2
    if any(isinstance(size, Dim) for size in steps):
        sizes: Operand = node("Shape", scores, start=-2)
    else:
        sizes = integers(*steps)
    everywhere = node("Expand", number(-math.inf), sizes)
    return node("Trilu", everywhere, Constant((1,), ()), upper=1)
