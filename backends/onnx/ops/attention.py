"""Attention: how ONNX realises it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netspec.backends.onnx.flat import joined
from netspec.backends.onnx.noise import dropped
from netspec.backends.onnx.rotation import pieces, tables, turned
from netspec.backends.onnx.rows import (
    ROWS,
    WITH_ATTENTION,
    Constant,
    Operand,
    Site,
    integers,
    node,
    number,
    takes_flat,
)
from netspec.dim import Dim
from netspec.ops.attention import Attention, ScaledDotProduct
from netspec.shape import Shape


@ROWS.row(Attention)
@takes_flat(Attention, but=lambda op: op.mask, attends=True)
def attention(op: Attention, site: Site) -> Operand:
    """`Gemm` for the maps; between them `Attention` from opset 23, before it what it stands for."""
    roles, heads = op.roles(len(site.inputs)), _Heads(*op.sizes)
    sources = [site.inputs[i] for i in roles[:3]]
    weights = dict(zip((w.name for w in op.weights(*site.shapes)), site.weights, strict=True))
    if "in_proj_weight" in weights and len({*roles[:3]}) == 1:
        # One map for all: in ONNX Runtime a large `Gemm` takes less time than three.
        packed = [weights[name] for name in ("in_proj_weight", "in_proj_bias") if name in weights]
        mapped = node("Gemm", sources[0], *packed, transB=1)
        kept, counts = _is_kept(op, site), heads.counts
        together = heads.features(sum(counts), kept)
        mapped = site.numbering.apart(mapped, site.shapes[0], *together)
        parts: list[Operand] = pieces(mapped, op.widths if kept else counts, -len(together))
    else:
        maps = zip(sources, _maps(op, weights), strict=True)
        parts = _taken_apart(
            op, site, [node("Gemm", x, *each, transB=1) for x, each in maps], heads
        )
    output = [weights[name] for name in ("out_proj.weight", "out_proj.bias") if name in weights]
    return node("Gemm", _attend(op, site, parts, heads), *output, transB=1)


@ROWS.row(ScaledDotProduct)
@takes_flat(ScaledDotProduct, but=lambda op: op.mask, attends=True)
def sdpa(op: ScaledDotProduct, site: Site) -> Operand:
    """As within `attention`."""
    heads = _Heads(*op.split(*site.shapes))
    flat = [site.inputs[i] for i in op.roles(len(site.inputs))[:3]]
    return _attend(op, site, _taken_apart(op, site, flat, heads), heads)


class _Heads(NamedTuple):
    """The heads of the queries, those of keys and values, and the features of each."""

    queries: int
    keys: int
    width: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """Those of queries, keys and values."""
        return self.queries, self.keys, self.keys

    def features(self, count: int, kept: bool) -> tuple[int, ...]:
        """The axes of the features of so many heads: one, or one more for the heads."""
        return (count * self.width,) if kept else (count, self.width)


def _rate(op: Attention | ScaledDotProduct) -> float:
    """The share of the weights that inference drops."""
    return op.dropout if isinstance(op, Attention) and op.samples else 0.0


def _is_one_op(op: Attention | ScaledDotProduct, site: Site) -> bool:
    """Whether ONNX's `Attention` does it, which takes no windows."""
    return site.opset >= WITH_ATTENTION and site.shapes[0].axes == "tc" and _rate(op) == 0


def _is_kept(op: Attention | ScaledDotProduct, site: Site) -> bool:
    """Whether the features of all heads stay in one axis."""
    return _is_one_op(op, site) and not (isinstance(op, Attention) and op.rotary)


def _taken_apart(
    op: Attention | ScaledDotProduct, site: Site, flat: Sequence[Operand], heads: _Heads
) -> list[Operand]:
    """Queries, keys and values with all their axes."""
    kept, places = _is_kept(op, site), op.roles(len(site.inputs))[:3]
    return [
        site.numbering.apart(part, site.shapes[i], *heads.features(count, kept))
        for part, i, count in zip(flat, places, heads.counts, strict=True)
    ]


def _maps(op: Attention, weights: Mapping[str, Operand]) -> list[tuple[Operand, ...]]:
    """The weight and the bias, if any, of query, key and value, cut out of the packed ones."""
    packed, biases = weights.get("in_proj_weight"), weights.get("in_proj_bias")
    if packed is None:
        own: list[Operand] = [weights[f"{letter}_proj_weight"] for letter in "qkv"]
    else:
        own = pieces(packed, op.widths, 0)
    added = [] if biases is None else [pieces(biases, op.widths, 0)]
    return list(zip(own, *added, strict=True))


def _attend(
    op: Attention | ScaledDotProduct, site: Site, parts: Sequence[Operand], heads: _Heads
) -> Operand:
    """Softmax of the scores times the values: of queries, keys and values taken apart a flat result."""
    roles = op.roles(len(site.inputs))
    if isinstance(op, Attention) and op.rotary:
        q, k, v = parts
        shapes = [site.shapes[i] for i in (roles.query, roles.key)]
        parts = [_turned(op, site, q, shapes[0]), _turned(op, site, k, shapes[1]), v]
    mask = [] if roles.mask is None else [_mask(op, site, roles.mask)]
    if _is_one_op(op, site):
        if not _is_kept(op, site):
            parts = [
                site.numbering.apart(part, site.shapes[i], count * heads.width)
                for part, i, count in zip(parts, roles[:3], heads.counts, strict=True)
            ]
        counts = {"q_num_heads": heads.queries, "kv_num_heads": heads.keys}
        how = {"scale": op.factor, "is_causal": int(op.causal)}
        value: Operand = node("Attention", *parts, *mask, **counts, **how)
    else:
        value = _written_out(op, site, parts, mask, heads)
    return joined(value, heads.queries * heads.width)


def _written_out(
    op: Attention | ScaledDotProduct,
    site: Site,
    parts: Sequence[Operand],
    mask: Sequence[Operand],
    heads: _Heads,
) -> Operand:
    """What `Attention` stands for, with an axis for the heads."""
    (q, k, v), roles = parts, op.roles(len(site.inputs))
    if heads.queries > heads.keys:
        shared = integers(*(i // (heads.queries // heads.keys) for i in range(heads.queries)))
        k, v = (node("Gather", each, shared, axis=-2) for each in (k, v))
    shapes = [site.shapes[i] for i in (roles.query, roles.key)]
    of_query, of_key = (_heads_in_front(site, shape) for shape in shapes)
    *front, steps, features = of_key
    q, v = node("Transpose", q, perm=of_query), node("Transpose", v, perm=of_key)
    k = node("Transpose", k, perm=(*front, features, steps))
    scores = node("Mul", node("MatMul", q, k), number(op.factor))
    if mask:
        scores = node("Add", scores, *mask)
    if op.causal:
        scores = node("Add", scores, _hidden(scores, site))
    shares = dropped(site, node("Softmax", scores, axis=len(of_query) - 1), _rate(op))
    back = tuple(of_query.index(axis) for axis in range(len(of_query)))
    return node("Transpose", node("MatMul", shares, v), perm=back)


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
    behind = 2 if site.numbering.steps_first(shape) else 1
    half = op.sizes[2] // 2
    pairs = pieces(x, (half, half), -1)
    return node("Concat", *turned(pairs, *tables(angles, behind)), axis=-1)


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
