"""Kernels of branches added up in one window. Knows no op and no graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.passes.branches.taps import Taps
from netspec.passes.kernel import Kernel

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")


def add_up(
    kernels: Iterable[tuple[float, tuple[Taps, ...], Kernel]],
    taps: tuple[Taps, ...],
    channels: tuple[int, int],
    groups: int,
) -> Kernel:
    """The sum of kernels, each with a factor and its own window, in a window and groups that hold them all.

    `channels` are those out and in. `groups` divides the groups of each kernel, between which it is zero.
    """
    outputs, inputs = channels
    counts = [each.places for each in taps]
    total = np.zeros((groups, outputs // groups, inputs // groups, *counts))
    bias: Array | None = None
    for factor, own, kernel in kernels:
        blocks = kernel.weight.shape[0] // groups
        each = np.arange(blocks)
        _, rows, columns, *window = kernel.weight.shape
        parted = total.reshape(groups, blocks, rows, blocks, columns, *counts)
        places = [a.within(b) for a, b in zip(own, taps, strict=True)]
        given = kernel.weight.reshape(groups, blocks, rows, columns, *window).swapaxes(0, 1)
        where: tuple[Any, ...] = (slice(None), each, slice(None), each, slice(None), *places)
        parted[where] += np.multiply(given, factor, dtype=np.float64)
        if kernel.bias is not None:
            bias = factor * kernel.bias if bias is None else bias + factor * kernel.bias
    return Kernel(total, bias)
