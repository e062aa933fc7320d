"""Attention: how ONNX realises it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from netspec.backends.onnx.linear import linear, reshaped
from netspec.backends.onnx.noise import dropped
from netspec.backends.onnx.rows import (
    ROWS,
    Apply,
    Constant,
    Operand,
    Site,
    integers,
    node,
    number,
    singles,
)
from netspec.dim import Dim
from netspec.ops.attention import Attention, ScaledDotProduct
from netspec.shape import Shape


@ROWS.row(Attention)
def attention(op: Attention, site: Site) -> Operand:
    """`Gemm` for the maps; between them `Attention` from opset 23, before it what it stands for."""
    roles = op.roles(len(site.inputs))
    shapes = [site.shapes[i] for i in roles[:3]]
    sources = [site.inputs[i] for i in roles[:3]]
    weights = dict(zip((w.name for w in op.weights(*site.shapes)), site.weights, strict=True))
    heads, kv_heads, head_dim = op.sizes
    counts = (heads, kv_heads, kv_heads)
    if "in_proj_weight" in weights and len({*roles[:3]}) == 1:
        # One map for all: in ONNX Runtime a large `Gemm` and its `Transpose` take less time than three.
        packed = (weights["in_proj_weight"], weights.get("in_proj_bias"))
        mapped = linear(sources[0], shapes[0], sum(counts) * head_dim, *packed)
        split = _by_heads(mapped, shapes[0], sum(counts), head_dim)
        parts = [*_pieces(split, counts, -3)]
    else:
        parts = [
            _by_heads(linear(x, shape, count * head_dim, *each), shape, count, head_dim)
            for x, shape, each, count in zip(
                sources, shapes, _maps(op, weights), counts, strict=True
            )
        ]
    if op.rotary:
        parts[:2] = [
            _turned(op, part, shape) for part, shape in zip(parts[:2], shapes[:2], strict=True)
        ]
    joined = _joined(_attend(op, site, parts, (heads, kv_heads)), shapes[0], heads * head_dim)
    inner = shapes[0].with_sizes(*shapes[0].sizes[:-1], heads * head_dim)
    out, bias = weights["out_proj.weight"], weights.get("out_proj.bias")
    return linear(joined, inner, shapes[0].axis("c"), out, bias)


@ROWS.row(ScaledDotProduct)
def sdpa(op: ScaledDotProduct, site: Site) -> Operand:
    """As within `attention`."""
    roles = op.roles(len(site.inputs))
    heads, kv_heads, head_dim = op.split(*site.shapes)
    parts = [
        _by_heads(site.inputs[i], site.shapes[i], count, head_dim)
        for i, count in zip(roles[:3], (heads, kv_heads, kv_heads), strict=True)
    ]
    shape = site.shapes[roles.query]
    return _joined(_attend(op, site, parts, (heads, kv_heads)), shape, shape.axis("c"))


def _maps(op: Attention, weights: Mapping[str, Operand]) -> list[tuple[Operand, Operand | None]]:
    """The weight and the bias of query, key and value, cut out of the packed ones."""
    packed, biases = weights.get("in_proj_weight"), weights.get("in_proj_bias")
    if packed is None:
        own: list[Operand] = [weights[f"{letter}_proj_weight"] for letter in "qkv"]
    else:
        own = list(_pieces(packed, op.widths, 0))
    added: list[Operand | None] = [None] * 3
    if biases is not None:
        added = [*_pieces(biases, op.widths, 0)]
    return list(zip(own, added, strict=True))


def _pieces(value: Operand, sizes: Sequence[int], axis: int) -> list[Operand]:
    """A tensor in pieces of these sizes along an axis."""
    split = node("Split", value, integers(*sizes), axis=axis)
    return [split._replace(result=i) for i in range(len(sizes))]


def _is_open(shape: Shape) -> bool:
    """Whether the number of steps is known only at run time."""
    return isinstance(shape.axis("t"), Dim)


def _swapped(shape: Shape) -> tuple[int, ...]:
    """The order of axes that swaps steps and heads in `(n, ..., t, heads, d)`, and back."""
    rank = len(shape.sizes) + 2
    return (*range(rank - 3), rank - 2, rank - 3, rank - 1)


def _by_heads(value: Operand, shape: Shape, heads: int, head_dim: int) -> Operand:
    """`(n, ..., heads, t, d)` of features that belong to heads."""
    lead = (0, 0) if _is_open(shape) else (-1, *shape.sizes[:-1])
    split = reshaped(value, *lead, heads, head_dim)
    return node("Transpose", split, perm=_swapped(shape))


def _joined(value: Operand, shape: Shape, width: int) -> Operand:
    """The inverse of `_by_heads`, for a query of that shape."""
    lead = (0, 0) if _is_open(shape) else (-1, *shape.sizes[:-1])
    merged = node("Transpose", value, perm=_swapped(shape))
    return reshaped(merged, *lead, width)


def _turned(op: Attention, x: Operand, shape: Shape) -> Operand:
    """Each pair of features (i, i + d / 2) turned by its position."""
    angles = op.turns(shape.axis("t"))
    half = op.sizes[2] // 2
    sizes = (shape.axis("t"), half)
    cos, sin = (
        singles([f(angle) for row in angles for angle in row], sizes) for f in (math.cos, math.sin)
    )
    low, high = _pieces(x, (half, half), -1)
    first = node("Sub", node("Mul", low, cos), node("Mul", high, sin))
    second = node("Add", node("Mul", high, cos), node("Mul", low, sin))
    return node("Concat", first, second, axis=-1)


def _attend(
    op: Attention | ScaledDotProduct, site: Site, parts: Sequence[Operand], heads: tuple[int, int]
) -> Operand:
    """Softmax of the scores times the values, for heads `(n, ..., h, t, d)`."""
    q, k, v = parts
    roles = op.roles(len(site.inputs))
    rank = len(site.shapes[0].sizes) + 2
    mask: Operand | None = None
    if roles.mask is not None:
        mask, gap = site.inputs[roles.mask], op.mask_gap(*site.shapes)
        mask = node("Unsqueeze", mask, integers(*range(1, 1 + gap))) if gap else mask
    rate = op.dropout if isinstance(op, Attention) and op.samples else 0.0
    if site.opset >= 23 and rank == 4 and rate == 0:
        attributes = {"scale": op.factor, "is_causal": int(op.causal)}
        return node("Attention", q, k, v, *([] if mask is None else [mask]), **attributes)
    groups = heads[0] // heads[1]
    if groups > 1:
        shared = integers(*(i // groups for i in range(heads[0])))
        k, v = (node("Gather", each, shared, axis=rank - 3) for each in (k, v))
    keys = _transposed(k, (*range(rank - 2), rank - 1, rank - 2))
    scores = node("Mul", node("MatMul", q, keys), number(op.factor))
    if mask is not None:
        scores = node("Add", scores, mask)
    if op.causal:
        scores = node("Add", scores, _hidden(scores, site))
    return node("MatMul", dropped(site, node("Softmax", scores, axis=rank - 1), rate), v)


def _transposed(value: Operand, perm: tuple[int, ...]) -> Operand:
    """A tensor with its axes in another order; of two such steps in a row one is made."""
    if isinstance(value, Apply) and value.op_type == "Transpose":
        before = value.attributes["perm"]
        assert isinstance(before, tuple)
        return node("Transpose", value.operands[0], perm=tuple(before[axis] for axis in perm))
    return node("Transpose", value, perm=perm)


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
