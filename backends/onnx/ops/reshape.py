"""Ops that give a tensor other axes: how ONNX realises them."""

from __future__ import annotations

from itertools import zip_longest

from netspec.backends.onnx.rows import (
    ROWS,
    Operand,
    Site,
    integers,
    node,
)
from netspec.dim import Dim
from netspec.ops.reshape import Flatten, Rearrange, Regroup, Reshape, Squeeze, Unsqueeze


@ROWS.row(Flatten)
def flatten(op: Flatten, site: Site) -> Operand:  # noqa: ARG001
    """All axes behind the batch."""
    return node("Flatten", *site.inputs, axis=1)


@ROWS.row(Reshape)
def reshape(op: Reshape, site: Site) -> Operand:
    """ONNX's own layout is the spec's."""
    return _shaped(site, site.inputs[0], site.shapes[0].sizes, op.infer(*site.shapes).sizes)


@ROWS.row(Rearrange, Squeeze, Unsqueeze)
def regroup(op: Regroup, site: Site) -> Operand:
    """`Reshape`, `Transpose` and `Reshape`, or those of them that are needed."""
    split, order, joined = op.grouping(*site.shapes).moves()
    sizes = site.shapes[0].sizes
    value = _shaped(site, site.inputs[0], sizes, split)
    sizes = sizes if split is None else split
    if order is not None:
        value = node("Transpose", value, perm=(0, *(1 + axis for axis in order)))
        sizes = tuple(sizes[axis] for axis in order)
    return _shaped(site, value, sizes, joined)


def _shaped(
    site: Site, value: Operand, given: tuple[int, ...], wanted: tuple[int, ...] | None
) -> Operand:
    """Behind the batch, whose size a 0 keeps; a value that has its sizes is as it was.

    A size that is known only at run time is kept by a 0 where it stays in its place, found where it is
    the only other one, and else read off the op's input.
    """
    if wanted is None:
        return value
    kept = [isinstance(new, Dim) and old == new for old, new in zip_longest(given, wanted)]
    target = (0, *(0 if kept[i] else size for i, size in enumerate(wanted)))
    unknown = [size for size in target if isinstance(size, Dim)]
    if len(unknown) == 1:
        target = tuple([-1 if isinstance(size, Dim) else size for size in target])
    elif all(size in site.shapes[0].sizes for size in unknown) and unknown:
        pieces = [_piece(site, size) for size in target]
        return node("Reshape", value, node("Concat", *pieces, axis=0))
    return node("Reshape", value, integers(*target))


def _piece(site: Site, size: int) -> Operand:
    if not isinstance(size, Dim):
        return integers(size)
    place = 1 + site.shapes[0].sizes.index(size)
    return node("Shape", site.inputs[0], start=place, end=place + 1)
