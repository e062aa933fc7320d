"""Where sliding windows lie, and how an array is padded and cropped for them. Knows no op."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from netspec.shape import split_pads, window_extent
from netspec.weights import Array


class Windows(NamedTuple):
    """Windows over the spatial axes of `(n, c, *spatial)`, one entry for each axis.

    `steps` counts the windows, `pads` holds (before, after) pairs. A window may reach past the
    padding (`ceil`); `fit` adds what it lacks.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    steps: tuple[int, ...]

    @classmethod
    def of(
        cls,
        kernel: Sequence[int],
        stride: Sequence[int],
        dilation: Sequence[int],
        padding: Sequence[int],
        steps: Sequence[int],
    ) -> Windows:
        """From an op's settled arguments: `padding` as ONNX writes it."""
        pads = tuple(split_pads(padding))
        return cls(tuple(kernel), tuple(stride), tuple(dilation), pads, tuple(steps))

    @property
    def extents(self) -> tuple[int, ...]:
        """How many positions a window spans."""
        return tuple(map(window_extent, self.kernel, self.dilation))

    def fit(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the array that the windows move over: the input's with its padding, or more."""
        reach = [
            (n - 1) * s + e for n, s, e in zip(self.steps, self.stride, self.extents, strict=True)
        ]
        padded = [size + sum(pair) for size, pair in zip(spatial, self.pads, strict=True)]
        return tuple(map(max, padded, reach))

    def pad(self, x: Array, value: float) -> Array:
        """`x` in the middle of an array of the size that fits."""
        padded = np.full((*x.shape[:2], *self.fit(x.shape[2:])), value, x.dtype)
        self.crop(padded, x.shape[2:])[...] = x
        return padded

    def crop(self, padded: Array, spatial: Sequence[int]) -> Array:
        """The view of the middle: the inverse of `pad`."""
        places = [
            slice(before, before + n) for (before, _), n in zip(self.pads, spatial, strict=True)
        ]
        index: tuple[Any, ...] = (..., *places)
        middle: Array = padded[index]
        return middle

    def taps(self, first: int = 0, count: int | None = None) -> Iterator[tuple[Any, ...]]:
        """Index what the windows see through each position of the kernel, in row-major order.

        Only `count` windows along the first axis, from `first` on, where it is given.
        """
        steps = self.steps if count is None else (count, *self.steps[1:])
        origin = (first * self.stride[0], *(0 for _ in self.steps[1:]))
        for tap in np.ndindex(self.kernel):
            starts = [o + t * d for o, t, d in zip(origin, tap, self.dilation, strict=True)]
            axes = zip(starts, steps, self.stride, strict=True)
            yield ..., *(slice(start, start + (n - 1) * s + 1, s) for start, n, s in axes)
