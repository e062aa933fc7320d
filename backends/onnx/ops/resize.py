"""Resampling: how ONNX realises it."""

from __future__ import annotations

from typing import Any

from netspec.backends.onnx.rows import ROWS, Operand, Site, integers, node
from netspec.ops.fields import LARGEST
from netspec.ops.resize import Resize, Upsample
from netspec.shape import Shape

_OMITTED = ""


def _limit(op: Upsample | Resize, x: Shape) -> str | None:
    if op.mode == "nearest" and _factors(op) is None and x.unknowns:
        return "its `Resize` finds the nearest position in float32, which is exact for whole factors only"
    return None


def _factors(op: Upsample | Resize) -> tuple[int, ...] | None:
    return op.whole_factors if isinstance(op, Upsample) else None


@ROWS.row(Upsample, Resize, limit=_limit)
def resample(op: Upsample | Resize, site: Site) -> Operand:
    """`Resize` to sizes; a `Gather` for each axis where `nearest` would divide in floating point."""
    (x,), (shape,) = site.inputs, site.shapes
    factors, new = _factors(op), op.infer(shape).spatial
    attributes: dict[str, Any] = {"mode": op.mode}
    if op.mode != "nearest":
        corners = "align_corners" if op.corners == "align" else "half_pixel"
        attributes["coordinate_transformation_mode"] = corners
        if op.mode == "cubic":
            attributes["cubic_coeff_a"] = -0.75
    elif factors is None:
        return _nearest(x, shape.spatial, new)
    else:
        attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    present = node("Shape", x)
    inner: Operand = integers(*new)
    if factors is not None and shape.unknowns:
        inner = node("Mul", _range(present, 2, LARGEST), integers(*factors))
    sizes = node("Concat", _range(present, 0, 2), inner, axis=0)
    return node("Resize", x, _OMITTED, _OMITTED, sizes, **attributes)


def _range(sizes: Operand, start: int, stop: int) -> Operand:
    return node("Slice", sizes, integers(start), integers(stop))


def _nearest(x: Operand, old: tuple[int, ...], new: tuple[int, ...]) -> Operand:
    """Position `floor(i * old / new)`, along each axis that changes."""
    for axis, (before, after) in enumerate(zip(old, new, strict=True), start=2):
        if before != after:
            places = integers(*(i * before // after for i in range(after)))
            x = node("Gather", x, places, axis=axis)
    return x
