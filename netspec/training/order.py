"""Which examples make the batches of each epoch: a rule of seed and epoch alone, the same in every framework."""

from __future__ import annotations

from typing import NamedTuple

from netspec.weights import Array, np

_SHUFFLING, _SPLITTING, _DRAWING = range(3)


class Order(NamedTuple):
    """Batches of `batch` out of `examples`; the rest makes a last one, if it has `least` examples."""

    examples: int
    batch: int
    seed: int
    least: int = 1

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        full, rest = divmod(self.examples, self.batch)
        return full + (rest >= self.least)

    def epoch(self, number: int) -> Array:
        """The examples of an epoch in their order, shuffled anew for each: int64."""
        order = np.random.default_rng([self.seed, _SHUFFLING, number]).permutation(self.examples)
        return order[: self.steps * self.batch]

    def batches(self, number: int) -> list[Array]:
        """The same, a batch each."""
        order = self.epoch(number)
        return [order[start : start + self.batch] for start in range(0, len(order), self.batch)]


def split(count: int, part: float, seed: int) -> tuple[Array, Array]:
    """All examples but a random part of them, and that part; both in rising order."""
    order = np.random.default_rng([seed, _SPLITTING]).permutation(count)
    held = round(count * part)
    return np.sort(order[held:]), np.sort(order[:held])


def stream(seed: int, *place: int) -> int:
    """A seed of 63 bits for what a framework draws in that place (epoch, process, layer)."""
    words = np.random.SeedSequence([seed, _DRAWING, *place]).generate_state(1, np.uint64)
    return int(words[0] >> 1)
