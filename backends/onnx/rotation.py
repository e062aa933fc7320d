"""Pairs of features turned by given angles. Knows no op."""

from __future__ import annotations

import math
from collections.abc import Sequence

from netspec.backends.onnx.rows import Operand, integers, node, singles


def pieces(value: Operand, sizes: Sequence[int], axis: int) -> list[Operand]:
    """A tensor in pieces of these sizes along an axis."""
    split = node("Split", value, integers(*sizes), axis=axis)
    return [split._replace(result=i) for i in range(len(sizes))]


def tables(angles: Sequence[Sequence[float]], behind: int) -> list[Operand]:
    """Cosines and sines of a row for each position, with axes of one between position and pair."""
    sizes = (len(angles), *(1,) * behind, len(angles[0]))
    return [singles([f(a) for row in angles for a in row], sizes) for f in (math.cos, math.sin)]


def turned(pairs: Sequence[Operand], cos: Operand, sin: Operand) -> list[Operand]:
    """The two halves of the features, pair by pair turned (Su et al., 2021)."""
    low, high = pairs
    first = node("Sub", node("Mul", low, cos), node("Mul", high, sin))
    second = node("Add", node("Mul", high, cos), node("Mul", low, sin))
    return [first, second]
