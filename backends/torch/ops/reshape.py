"""Ops that give a tensor other axes: how PyTorch realises them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from netspec.backends.torch.layer import Layer, X, method
from netspec.backends.torch.rows import ROWS
from netspec.dim import Dim
from netspec.emit.source import Call, Expr, call
from netspec.ops.reshape import Flatten, Rearrange, Regroup, Reshape, Squeeze, Unsqueeze
from netspec.shape import Shape


@ROWS.row(Flatten)
def flatten(_op: Flatten, _x: Shape) -> Layer:
    """PyTorch's own layout is the spec's."""
    return method("flatten", 1, sequential=Call("nn.Flatten"))


@ROWS.row(Reshape)
def reshape(op: Reshape, x: Shape) -> Layer:
    """PyTorch's own layout is the spec's."""
    return Layer(forward=shaped(X, x.sizes, op.infer(x).sizes))


@ROWS.row(Rearrange, Squeeze, Unsqueeze)
def regroup(op: Regroup, x: Shape) -> Layer:
    """A reshape, a transpose and a reshape, or those of them that are needed."""
    grouping = op.grouping(x)
    split, order, joined = grouping.moves()
    value = shaped(X, x.sizes, split or x.sizes)
    if order is not None:
        sizes = split or x.sizes
        moved = tuple(sizes[axis] for axis in order)
        return Layer(forward=shaped(_moved(value, order), moved, joined or moved))
    return Layer(forward=shaped(value, x.sizes, joined or x.sizes))


def _moved(value: Expr, order: Sequence[int]) -> Expr:
    """`transpose` where two axes change places, else `permute`."""
    out_of_place = [1 + i for i, axis in enumerate(order) if i != axis]
    if len(out_of_place) == 2:
        return call("transpose", *out_of_place, on=value)
    return call("permute", 0, *(1 + axis for axis in order), on=value)


def shaped(value: Expr, given: Sequence[int], wanted: Sequence[int]) -> Expr:
    """`flatten` or `unflatten` where one axis tells the change, else `reshape`; sizes without the batch.

    Sizes known only at run time are not written: one part after another is flattened or unflattened.
    """
    if tuple(given) == tuple(wanted):
        return value
    if any(isinstance(size, Dim) for size in wanted):
        return _shaped_in_parts(value, given, wanted)
    same = zip(given, wanted, strict=False)
    before = next((i for i, (a, b) in enumerate(same) if a != b), min(len(given), len(wanted)))
    same = zip(reversed(given[before:]), reversed(wanted[before:]), strict=False)
    after = next((i for i, (a, b) in enumerate(same) if a != b), 0)
    old, new = given[before : len(given) - after], wanted[before : len(wanted) - after]
    first, last = 1 + before, before + len(old)
    if len(new) == 1 and len(old) > 1:
        end = () if after == 0 else (last,)
        return call("flatten", first, *end, on=value)
    if len(old) == 1 and len(new) > 1:
        return Call("unflatten", {"dim": first, "sizes": tuple(new)}, on=value)
    sizes: dict[str, Expr] = {f"size{axis}": size for axis, size in enumerate(wanted, 1)}
    return Call("reshape", {"batch": -1, **sizes}, on=value)


def _shaped_in_parts(value: Expr, given: Sequence[int], wanted: Sequence[int]) -> Expr:
    """From the last part to the first, so that the places of those before stay; one size of a part is found."""
    for first, old, new in reversed(_parts(given, wanted)):
        if not old:
            value = call("unsqueeze", first, on=value)
        if not new:
            value = call("squeeze", first, on=value)
        if len(old) > 1:
            value = call("flatten", first, first + len(old) - 1, on=value)
        if len(new) > 1:
            unknown = [isinstance(size, Dim) for size in new]
            one = sum(unknown) == 1
            sizes = tuple([-1 if one and u else size for size, u in zip(new, unknown, strict=True)])
            value = call("unflatten", first, sizes, on=value)
    return value


def _parts(
    given: Sequence[int], wanted: Sequence[int]
) -> list[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Where a part begins (the batch counted), and its axes before and after, which hold equally many.

    One side is empty where an axis of size 1 comes or goes.
    """
    found: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    old, new, place = list(given), list(wanted), 1
    while old or new:
        pairs = ((i, j) for i in range(len(old) + 1) for j in range(len(new) + 1) if i or j)
        smallest = sorted(pairs, key=lambda pair: (pair != (1, 1), sum(pair)))
        i, j = next((i, j) for i, j in smallest if prod(old[:i]) == prod(new[:j]))
        found.append((place, tuple(old[:i]), tuple(new[:j])))
        old, new, place = old[i:], new[j:], place + i
    return found
