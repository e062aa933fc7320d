"""Attention: how Keras realises it."""

from __future__ import annotations

import operator
from itertools import accumulate

from netspec.backends.keras.initial import initial, split_limit
from netspec.backends.keras.layer import LAYER, Held, Holding, Layer, Step
from netspec.backends.keras.rows import ROWS
from netspec.emit.source import Call, Expr, arg
from netspec.ops.attention import Attention, Roles, ScaledDotProduct
from netspec.ops.initial import FANNED
from netspec.shape import Shape

_DEFAULTS = {
    "use_bias": True,
    "dropout": 0.0,
    "causal": False,
    "rotary_base": None,
    "kernel_initializer": "glorot_uniform",
    "output_initializer": "glorot_uniform",
    "bias_initializer": "zeros",
}


def _limit(op: Attention, *_xs: Shape) -> str | None:
    return split_limit(op.init)


@ROWS.row(Attention, limit=_limit)
def attention(op: Attention, *xs: Shape) -> Layer:
    """Keras's own layers where they mean the same, else one of the file's own."""
    roles = op.roles(len(xs))
    heads, kv_heads, head_dim = op.sizes
    keywords: dict[str, Expr] = {"use_bias": op.bias, "dropout": op.dropout, **_initials(op, *xs)}
    fanned = op.init is not None and op.init.rule in FANNED
    # Keras on TensorFlow adds the bias of heads with one feature along another axis.
    if op.is_plain and len(xs[0].sizes) == 2 and head_dim > 1 and not fanned:
        keywords.pop("output_initializer", None)
        sizes = {"num_heads": heads, "key_dim": head_dim}
        name = "MultiHeadAttention"
        if kv_heads != heads:
            name = "GroupQueryAttention"
            sizes = {
                "head_dim": head_dim,
                "num_query_heads": heads,
                "num_key_value_heads": kv_heads,
            }
        key = (roles.key,) if roles.key != roles.value else ()
        reads = (roles.query, roles.value, *key)
        place = f"MC{name}" if op.samples else f"layers.{name}"
        made = Call(place, sizes, keywords, _DEFAULTS)
        return Layer((_step(made, reads, use_causal_mask=op.causal),), held=_held_by_heads(op, *xs))
    if op.rotary:
        for i in roles[:2]:
            operator.index(xs[i].axis("t"))
    keywords |= {
        "kv_heads": kv_heads,
        "scale": op.factor,
        "causal": op.causal,
        "rotary_base": op.base if op.rotary else None,
    }
    name = "MCAttention" if op.samples else "Attention"
    made = Call(name, {"heads": heads, "head_dim": head_dim}, keywords, _DEFAULTS)
    return Layer((_step(made, _reads(roles)),), held=_held(op, *xs))


@ROWS.row(ScaledDotProduct)
def sdpa(op: ScaledDotProduct, *xs: Shape) -> Layer:
    """A layer of the file's own."""
    roles = op.roles(len(xs))
    keywords: dict[str, Expr] = {"scale": op.factor, "causal": op.causal}
    made = Call("DotProductAttention", {"heads": op.heads}, keywords, {"causal": False})
    return Layer((_step(made, _reads(roles)),))


def _step(layer: Call, reads: tuple[int, ...], **flags: bool) -> Step:
    """The layer, which takes the values one after another, and the flags that are set."""
    values = {str(place): arg(place) for place in range(len(reads))}
    return Step(layer, reads, applied=Call(LAYER, values, flags, dict.fromkeys(flags, False)))


def _reads(roles: Roles) -> tuple[int, ...]:
    return roles[:3] if roles.mask is None else (*roles[:3], roles.mask)


def _initials(op: Attention, *xs: Shape) -> dict[str, Expr]:
    """The keywords for what the spec chose."""
    found: dict[str, Expr] = {}
    for weight in op.weights(*xs):
        if weight.chosen:
            start = initial(weight.init.settled(weight.shape))
            if weight.name.endswith("bias"):
                found["bias_initializer"] = start
            elif weight.name == "out_proj.weight":
                found["output_initializer"] = start
            else:
                found["kernel_initializer"] = start
    return found


def _parts(op: Attention, *xs: Shape) -> list[tuple[str, str, tuple[int, ...] | None, int]]:
    """For query, key and value: its name, its weight's, its rows of that where it is packed, and its heads."""
    heads, kv_heads, _ = op.sizes
    ends = list(accumulate(op.widths, initial=0))
    packed = op.is_packed(*xs)
    return [
        (
            name,
            "in_proj_weight" if packed else f"{name[0]}_proj_weight",
            tuple(range(ends[i], ends[i + 1])),
            count,
        )
        for i, (name, count) in enumerate(
            zip(("query", "key", "value"), (heads, kv_heads, kv_heads), strict=True)
        )
    ]


def _gathered(op: Attention, pieces: list[tuple[str, Held]]) -> Holding:
    found: dict[str, tuple[Held, ...]] = {}
    for name, held in pieces:
        if op.bias or not name.endswith("bias"):
            found[name] = (*found.get(name, ()), held)
    return found


def _held_by_heads(op: Attention, *xs: Shape) -> Holding:
    """Keras's layers hold kernels `(c, heads, d)`, and that of the output as `(heads, d, c)`."""
    roles, (heads, kv_heads, head_dim) = op.roles(len(xs)), op.sizes
    private = "" if heads == kv_heads else "_"
    pieces: list[tuple[str, Held]] = []
    for (name, weight, rows, count), i in zip(_parts(op, *xs), roles[:3], strict=True):
        split = (count, head_dim, xs[i].axis("c"))
        taken = rows if weight == "in_proj_weight" else None
        pieces.append((weight, Held(f"{private}{name}_dense.kernel", split, (2, 0, 1), taken)))
        bias = Held(f"{private}{name}_dense.bias", (count, head_dim), (0, 1), rows)
        pieces.append(("in_proj_bias", bias))
    split = (xs[0].axis("c"), op.heads, head_dim)
    pieces.append(("out_proj.weight", Held(f"{private}output_dense.kernel", split, (1, 2, 0))))
    pieces.append(("out_proj.bias", Held(f"{private}output_dense.bias")))
    return _gathered(op, pieces)


def _held(op: Attention, *xs: Shape) -> Holding:
    """The file's own layer consists of dense ones."""
    pieces: list[tuple[str, Held]] = []
    for name, weight, rows, _ in _parts(op, *xs):
        taken = rows if weight == "in_proj_weight" else None
        pieces.append((weight, Held(f"{name}.kernel", rows=taken)))
        pieces.append(("in_proj_bias", Held(f"{name}.bias", rows=rows)))
    pieces.append(("out_proj.weight", Held("project.kernel")))
    pieces.append(("out_proj.bias", Held("project.bias")))
    return _gathered(op, pieces)
