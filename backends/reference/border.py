"""Padding with values of the array itself, and its adjoint. Knows no op."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netspec.shape import split_pads
from netspec.weights import Array


def bordered(x: Array, pads: Sequence[int], mode: str) -> Array:
    """`(n, c, *spatial)`, padded by `pads` (all befores, then all afters): `reflect`, `replicate` or `circular`."""
    for axis, places in enumerate(_sources(x.shape[2:], pads, mode), start=2):
        x = np.take(x, places, axis)
    return x


def unbordered(dx: Array, pads: Sequence[int], mode: str, spatial: tuple[int, ...]) -> Array:
    """The adjoint of `bordered`: what stands in several places gets the sum of their gradients."""
    for axis, places in enumerate(_sources(spatial, pads, mode), start=2):
        total = np.zeros((*dx.shape[:axis], spatial[axis - 2], *dx.shape[axis + 1 :]), dx.dtype)
        np.add.at(np.moveaxis(total, axis, 0), places, np.moveaxis(dx, axis, 0))
        dx = total
    return dx


def _sources(spatial: Sequence[int], pads: Sequence[int], mode: str) -> list[Array]:
    """For each axis, which position of the input stands at each position of the padded one."""
    found = []
    for size, (before, after) in zip(spatial, split_pads(pads), strict=True):
        places = np.arange(-before, size + after)
        if mode == "circular":
            places = places % size
        elif mode == "reflect":
            places = size - 1 - np.abs(size - 1 - np.abs(places))
        found.append(np.clip(places, 0, size - 1))
    return found
