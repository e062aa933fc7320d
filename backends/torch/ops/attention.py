"""Attention: how PyTorch realises it."""

from __future__ import annotations

from netspec.backends.torch.layer import MODULE, Layer
from netspec.backends.torch.rows import ROWS
from netspec.emit.source import Call, Expr, Subscript, arg, call
from netspec.ops.attention import Attention, ScaledDotProduct
from netspec.shape import Shape


@ROWS.row(Attention)
def attention(op: Attention, *xs: Shape) -> Layer:
    """PyTorch's own module where it means the same, else a class of the file's own with the same weights."""
    roles = op.roles(len(xs))
    heads, kv_heads, head_dim = op.sizes
    query, key, value = (xs[i] for i in roles[:3])
    width = query.axis("c")
    positional: dict[str, Expr] = {"embed_dim": width, "num_heads": heads}
    keywords: dict[str, Expr] = {"dropout": op.dropout, "bias": op.bias}
    if not op.is_packed(*xs):
        keywords |= {"kdim": key.axis("c"), "vdim": value.axis("c")}
    sources = [arg(i) for i in roles[:3]]
    plain = op.is_plain and not op.causal and kv_heads == heads and heads * head_dim == width
    if plain and not op.samples and len(query.sizes) == 2:
        keywords["batch_first"] = True
        made = Call("nn.MultiheadAttention", positional, keywords, {"dropout": 0.0, "bias": True})
        applied = call(MODULE, *sources, need_weights=False)
        return Layer(made, Subscript(applied, "0"), heavy=True)
    itself = len(set(roles[:3])) == 1
    keywords |= {
        "kv_heads": None if kv_heads == heads else kv_heads,
        "head_dim": None if head_dim * heads == width else head_dim,
        "causal": op.causal and roles.mask is None,
        "scale": None if op.factor == float(head_dim) ** -0.5 else op.scale,
    }
    name = "SelfAttention" if itself else "CrossAttention"
    if op.rotary:
        name = f"Rotary{name}"
        keywords["length"] = query.axis("t") if itself else max(query.axis("t"), key.axis("t"))
        keywords["base"] = op.base
    if op.samples:
        name = f"MC{name}"
    inputs: list[Expr] = [*(sources[:1] if itself else sources)]
    if roles.mask is not None:
        inputs.append(_aligned(op, *xs))
    return Layer(Call(name, positional, keywords, _DEFAULTS), call(MODULE, *inputs), heavy=True)


_DEFAULTS = {
    "kv_heads": None,
    "head_dim": None,
    "bias": True,
    "dropout": 0.0,
    "causal": False,
    "scale": None,
    "base": 10000.0,
}


def _aligned(op: Attention | ScaledDotProduct, *xs: Shape) -> Expr:
    """The mask with an axis of one for each that it lacks behind the batch.

    Where attention is causal, too, the mask hides later steps: PyTorch's function takes one of both.
    """
    mask, gap = op.roles(len(xs)).mask, op.mask_gap(*xs)
    assert mask is not None
    aligned = Subscript(arg(mask), ":" + ", None" * gap) if gap else arg(mask)
    return call("hide_later", aligned) if op.causal else aligned


@ROWS.row(ScaledDotProduct)
def sdpa(op: ScaledDotProduct, *xs: Shape) -> Layer:
    """PyTorch's function, between views by heads."""
    roles = op.roles(len(xs))
    heads, kv_heads, head_dim = op.split(*xs)
    parts = [
        call("transpose", -3, -2, on=call("unflatten", -1, (n, head_dim), on=arg(i)))
        for i, n in zip(roles[:3], (heads, kv_heads, kv_heads), strict=True)
    ]
    keywords: dict[str, Expr] = {
        "attn_mask": None if roles.mask is None else _aligned(op, *xs),
        "is_causal": op.causal and roles.mask is None,
        "scale": None if op.factor == float(head_dim) ** -0.5 else op.scale,
        "enable_gqa": heads != kv_heads,
    }
    defaults = {"attn_mask": None, "is_causal": False, "scale": None, "enable_gqa": False}
    positional = dict(zip("qkv", parts, strict=True))
    attended = Call("F.scaled_dot_product_attention", positional, keywords, defaults)
    joined = call("flatten", -2, on=call("transpose", -3, -2, on=attended))
    return Layer(forward=joined, heavy=True)
