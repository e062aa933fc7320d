"""Whether an op fits the tensors that it is given, and the limits. Knows nothing of names and graphs."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from netspec.dim import Dim, UnknownSize, below
from netspec.limits import Memory, bound
from netspec.ops import Op, Rejected, Weight
from netspec.ops.input import Input
from netspec.shape import AXES_BY_RANK, KINDS, Shape


def check_inputs(op: Op, shapes: Sequence[Shape]) -> None:
    """Raise `Rejected` where an op takes another number of tensors, or tensors of another data type."""
    wanted = 0 if op.kind == "input" else 1
    if not op.merges and len(shapes) != wanted:
        raise Rejected(
            "wrong-arity",
            f"`{op.kind}` takes {wanted or 'no'} tensor, got {len(shapes)}",
            help="take one of the list, or `add` or `concat` them" if shapes else None,
        )
    for shape in shapes:
        if shape.dtype == "int" and "int" not in op.dtypes:
            message = f"`{op.kind}` does not take whole numbers (`dtype=int`)"
            raise Rejected("wrong-dtype", message, help="`embed` makes a vector of each token")
        if shape.dtype == "float" and "float" not in op.dtypes:
            message = f"`{op.kind}` takes whole numbers"
            raise Rejected("wrong-dtype", message, help="declare them: `input 16 dtype=int`")


def check_kinds(op: Op, shapes: Sequence[Shape]) -> None:
    """Raise `Rejected` where a tensor is of a kind that the op does not take."""
    for place, shape in enumerate(shapes):
        accepted = op.accepted(place)
        if shape.kind not in accepted:
            where = f" as its {op.beside}" if place and op.beside else ""
            raise Rejected(
                "wrong-kind",
                f"`{op.kind}` takes {_either(accepted)}{where}, not {_article(shape.kind)} of {shape}",
                help=_named(shape, accepted) or _way(shape.kind, accepted),
            )


def _named(shape: Shape, accepted: Sequence[str]) -> str | None:
    """What to say of a tensor that has the axes of a usual kind in number, but others by name."""
    usual = AXES_BY_RANK.get(len(shape.axes))
    if shape.kind != "tensor" or usual is None or KINDS[usual] not in accepted:
        return None
    given, wanted = " ".join(shape.axes), " ".join(usual)
    way = (
        f'`permute "{wanted}"` brings them into that order'
        if set(given) == set(wanted)
        else "call them so in the pattern of `rearrange`"
    )
    return f"its axes are `{given}`, and those of {_article(KINDS[usual])} are `{wanted}`: {way}"


def _way(given: str, accepted: Sequence[str]) -> str | None:
    """What makes a tensor of one kind one of another, where there is a usual way."""
    if accepted[0] == "vector":
        if given == "sequence":
            return "`take -1` gives the last step of a sequence"
        return "`flatten` or `gap` make a vector of an image"
    if given in ("image", "volume") and "sequence" in accepted:
        return f"`tokens` makes a sequence of {_article(given)}"
    if given == "sequence" and "image" in accepted:
        return "`untokens h w` makes an image of a sequence"
    return None


def check_memory(
    op: Op, shape: Shape, weights: Sequence[Weight], memory: Memory, *, repeats: bool
) -> None:
    """Count a result and its op's weights, and raise `Rejected` where they are beyond the limits.

    Raises `UnknownSize` for weights without a size; results without one are not counted, nor are
    weights that another use of a shared layer has (`repeats`).
    """
    for weight in weights:
        for size in weight.shape:
            if isinstance(size, Dim):
                raise UnknownSize(str(size))
    owned = [prod(weight.shape) for weight in weights]
    limits = memory.limits
    for elements in (shape.elements, *owned):
        if below(limits.elements, elements):
            raise Rejected(
                "too-large",
                f"`{op.kind}` would need a tensor of {elements:.3g} numbers",
                help=bound("elements", limits),
            )
    held = 0 if op.borrows or repeats else sum(owned)
    if (beyond := memory.add(shape.elements, held)) is not None:
        message, limit = beyond
        raise Rejected("over-limit", message, help=bound(limit, limits))


def check_initial(weights: Sequence[Weight]) -> None:
    """Raise `Rejected` where a weight cannot start as it was asked to."""
    for weight in weights:
        reason = weight.init.reason_against(weight.shape)
        if reason is not None:
            sizes = " x ".join(map(str, weight.shape))
            found = f"`{weight.name}`" if weight.name else "this one"
            raise Rejected("bad-initializer", f"{reason}, and {found} is {sizes}")


def needs_number(op: Op, unknown: UnknownSize, shapes: Sequence[Shape]) -> Rejected:
    """The refusal of an op that cannot do without a size that is known only at run time."""
    features = [shape.axis("c") for shape in shapes if "c" in shape.axes]
    return Rejected(
        "unknown-size",
        f"`{op.kind}` cannot do without a number: {unknown}",
        help="`gap` makes a vector of an image of any size"
        if any(isinstance(size, Dim) for size in features)
        else "give the input that size as a number",
    )


def determined(op: Input, known: frozenset[str]) -> frozenset[str]:
    """The unknowns that an input's sizes give; raises `Rejected` where they do not tell one."""
    sizes = [size for size in op.sizes if isinstance(size, Dim)]
    found = frozenset(size.affine[0] for size in sizes if size.affine is not None)
    for size in sizes:
        if missing := size.unknowns - found - known:
            raise Rejected(
                "undetermined-size",
                f"the size `{size}` does not tell what `{min(missing)}` is",
                param="sizes",
                help="an input's size is an unknown by itself, or times and plus a number: `(4*?T + 1)`",
            )
    return found


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _either(nouns: Sequence[str]) -> str:
    words = [_article(noun) for noun in nouns]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
