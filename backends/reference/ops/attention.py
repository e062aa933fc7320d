"""Attention, bare and between learned maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netspec.backends.reference.rotation import turned
from netspec.backends.reference.rows import ROWS, Applied, Gradients, Result
from netspec.ops.attention import Attention, ScaledDotProduct
from netspec.weights import Array


def _split(x: Array, heads: int) -> Array:
    """`(..., t, heads * d)` as `(..., heads, t, d)`."""
    parts: Array = x.reshape(*x.shape[:-1], heads, -1).swapaxes(-3, -2)
    return parts


def _joined(x: Array) -> Array:
    """The inverse of `_split`."""
    x = x.swapaxes(-3, -2)
    return x.reshape(*x.shape[:-2], -1)


def _attend(
    q: Array, k: Array, v: Array, scale: float, causal: bool, mask: Array | None
) -> tuple[Array, Callable[[Array], tuple[Array, Array, Array, Array]]]:
    """Softmax of the scores times the values, for heads `(..., h, t, d)`; the gradients of q, k, v and mask.

    Keys and values of fewer heads serve several neighbouring ones. The mask has the scores' rank.
    """
    groups = q.shape[-3] // k.shape[-3]
    wide_k, wide_v = np.repeat(k, groups, axis=-3), np.repeat(v, groups, axis=-3)
    scores = scale * (q @ wide_k.swapaxes(-1, -2))
    if mask is not None:
        scores = scores + mask
    if causal:
        seen = np.tri(*scores.shape[-2:]) == 1
        scores = np.where(seen, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)

    def narrow(gradient: Array) -> Array:
        kv, (t, d) = k.shape[-3], gradient.shape[-2:]
        total: Array = gradient.reshape(*gradient.shape[:-3], kv, groups, t, d).sum(-3)
        return total

    def pullback(dy: Array) -> tuple[Array, Array, Array, Array]:
        dweights = dy @ wide_v.swapaxes(-1, -2)
        dscores = weights * (dweights - (dweights * weights).sum(-1, keepdims=True))
        dk = scale * (dscores.swapaxes(-1, -2) @ q)
        dv = weights.swapaxes(-1, -2) @ dy
        return scale * (dscores @ wide_k), narrow(dk), narrow(dv), dscores

    return weights @ wide_v, pullback


def _aligned(op: Attention | ScaledDotProduct, at: Applied) -> Array | None:
    """The mask with an axis of one for each that it lacks behind the batch."""
    roles = op.roles(len(at.inputs))
    if roles.mask is None:
        return None
    mask = at.inputs[roles.mask]
    return mask.reshape(len(mask), *(1,) * op.mask_gap(*at.shapes), *mask.shape[1:])


def _to_mask(dscores: Array, op: Attention | ScaledDotProduct, at: Applied) -> Array:
    """The gradient of the mask."""
    gap = op.mask_gap(*at.shapes)
    total: Array = dscores.sum(tuple(range(1, 1 + gap)))
    return total


@ROWS.row(ScaledDotProduct)
def _sdpa(op: ScaledDotProduct, at: Applied) -> Result:
    roles = op.roles(len(at.inputs))
    heads, kv_heads, _ = op.split(*at.shapes)
    counts = (heads, kv_heads, kv_heads)
    q, k, v = (_split(at.inputs[i], n) for i, n in zip(roles[:3], counts, strict=True))
    y, pull = _attend(q, k, v, op.factor, op.causal, _aligned(op, at))

    def pullback(dy: Array) -> Gradients:
        *parts, dscores = pull(_split(dy, heads))
        gradients = [np.zeros_like(x) for x in at.inputs]
        for i, gradient in zip(roles[:3], parts, strict=True):
            gradients[i] = gradients[i] + _joined(gradient)
        if roles.mask is not None:
            gradients[roles.mask] = _to_mask(dscores, op, at)
        return Gradients(tuple(gradients))

    return Result(_joined(y), pullback)


@ROWS.row(Attention)
def _attention(op: Attention, at: Applied) -> Result:
    roles, widths = op.roles(len(at.inputs)), op.widths
    heads, kv_heads, _ = op.sizes
    counts = (heads, kv_heads, kv_heads)
    ends = np.cumsum(widths)[:-1]
    packed = op.is_packed(*at.shapes)
    if packed:
        matrices = np.split(at.weights["in_proj_weight"], ends)
    else:
        matrices = [at.weights[f"{letter}_proj_weight"] for letter in "qkv"]
    sources = [at.inputs[i] for i in roles[:3]]
    maps = [x @ w.T for x, w in zip(sources, matrices, strict=True)]
    if op.bias:
        biases = np.split(at.weights["in_proj_bias"], ends)
        maps = [y + b for y, b in zip(maps, biases, strict=True)]
    q, k, v = (_split(y, n) for y, n in zip(maps, counts, strict=True))
    if op.rotary:
        q, k = turned(q, op.base, 1), turned(k, op.base, 1)
    attended, pull = _attend(q, k, v, op.factor, op.causal, _aligned(op, at))
    inner, out = _joined(attended), at.weights["out_proj.weight"]
    y = inner @ out.T

    def flat(x: Array) -> Array:
        return x.reshape(-1, x.shape[-1])

    def pullback(dy: Array) -> Gradients:
        dq, dk, dv, dscores = pull(_split(dy @ out, heads))
        if op.rotary:
            dq, dk = turned(dq, op.base, -1), turned(dk, op.base, -1)
        dmaps = [_joined(each) for each in (dq, dk, dv)]
        gradients = [np.zeros_like(x) for x in at.inputs]
        for i, dmap, matrix in zip(roles[:3], dmaps, matrices, strict=True):
            gradients[i] = gradients[i] + dmap @ matrix
        if roles.mask is not None:
            gradients[roles.mask] = _to_mask(dscores, op, at)
        parts = [flat(d).T @ flat(x) for d, x in zip(dmaps, sources, strict=True)]
        weights = {"out_proj.weight": flat(dy).T @ flat(inner)}
        if packed:
            weights["in_proj_weight"] = np.concatenate(parts)
        else:
            weights |= {f"{n}_proj_weight": part for n, part in zip("qkv", parts, strict=True)}
        if op.bias:
            weights["in_proj_bias"] = np.concatenate([flat(d).sum(0) for d in dmaps])
            weights["out_proj.bias"] = flat(dy).sum(0)
        return Gradients(tuple(gradients), weights)

    return Result(y + at.weights["out_proj.bias"] if op.bias else y, pullback)
