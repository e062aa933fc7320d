"""Pairs of features turned by their positions. Knows no op."""

from __future__ import annotations

import numpy as np

from netspec.weights import Array


def turned(x: Array, base: float, sign: int) -> Array:
    """Heads `(..., t, d)`, each pair of features (i, i + d / 2) turned by its position, or back."""
    half = x.shape[-1] // 2
    angles = np.outer(np.arange(x.shape[-2]), base ** (-np.arange(half) / half))
    cos, sin = (f(angles).astype(np.float32).astype(x.dtype) for f in (np.cos, np.sin))
    low, high = x[..., :half], x[..., half:]
    return np.concatenate([low * cos - sign * high * sin, high * cos + sign * low * sin], axis=-1)
