"""Which of some branches of one tensor become one layer. Knows nothing of graphs and of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import NamedTuple

from netspec.ir import Node
from netspec.passes.branches.part import LAYERS, Layer, Part, as_layer
from netspec.passes.branches.taps import Apart


class Merged(NamedTuple):
    """Branches that are one layer, which stands in the place of the first of them, the seed."""

    seed: Node
    numbers: tuple[int, ...]
    """Which of the branches they are."""
    layer: Layer
    part: Part
    """The layer, as a branch."""

    def joined(self, number: int, other: Part) -> Merged:
        """The layer that does what the branch does, too. Raises `Apart` where there is none, or it costs more."""
        own = self.part
        if own.transposed != other.transposed and not other.is_pointwise:
            raise Apart("only one is transposed")
        borders = {own.border, other.border} - {None}
        if len(borders) > 1:
            raise Apart(f"one pads with {' and one with '.join(sorted(map(str, borders)))}")
        taps = tuple(a.joined(b) for a, b in zip(own.taps, other.taps, strict=True))
        part = own._replace(
            taps=taps,
            groups=gcd(own.groups, other.groups),
            border=next(iter(borders), None),
            biased=own.biased or other.biased,
        )
        if part.cost > own.cost + other.cost:
            apart = own.cost + other.cost
            raise Apart(f"one kernel would have {part.cost} weights, two have {apart}")
        layer = as_layer(self.seed, part)
        return Merged(self.seed, (*self.numbers, number), layer, part)


def merge(parts: Sequence[Part]) -> tuple[list[Merged], dict[int, str]]:
    """The layers that branches become, and the reason of each that stays alone where others might have taken it.

    Large kernels take in small ones: a branch joins the first layer to which it adds no work.
    """
    found: list[Merged] = []
    reasons: dict[int, str] = {}
    for number in sorted(range(len(parts)), key=lambda number: -parts[number].cost):
        part = parts[number]
        for place, merged in enumerate(found):
            try:
                found[place] = merged.joined(number, part)
                break
            except Apart as apart:
                reasons[number] = f"no part of `{merged.seed.name}`, since {apart}"
        else:
            if part.node is not None and isinstance(part.node.op, LAYERS):
                found.append(Merged(part.node, (number,), part.node.op, part))
            continue
        reasons.pop(number, None)
    several = [merged for merged in found if len(merged.numbers) > 1]
    for merged in several:
        reasons.pop(merged.numbers[0], None)
    return several, reasons
