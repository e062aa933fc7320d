"""Mean and deviation over many runs of a model that draws at random. Knows nothing of what runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic, SpecError
from netspec.weights import Array, np


class Spread(NamedTuple):
    """The mean of each output over the runs, and its standard deviation (of a sample: divided by n - 1)."""

    mean: dict[str, Array]
    deviation: dict[str, Array]

    def named(self) -> dict[str, Array]:
        """Both as arrays of their own: `output_mean`, `output_std`."""
        found = {}
        for name, mean in self.mean.items():
            found[f"{name}_mean"], found[f"{name}_std"] = mean, self.deviation[name]
        return found


def sample(run: Callable[[], Mapping[str, Array]], count: int) -> Spread:
    """What `count` runs give, two or more; no more of them is kept than sums of deviations (Welford, 1962).

    Sums are float64, results have the outputs' type. Raises `SpecError` where every run gave the same.
    """
    types: dict[str, np.dtype[Any]] = {}
    mean: dict[str, Array] = {}
    squares: dict[str, Array] = {}
    for number in range(1, count + 1):
        for name, values in run().items():
            if number == 1:
                types[name] = values.dtype
                mean[name], squares[name] = np.zeros(values.shape), np.zeros(values.shape)
            off = values - mean[name]
            mean[name] += off / number
            squares[name] += off * (values - mean[name])
    if not any(array.any() for array in squares.values()):
        message = f"{count} runs gave the same numbers: the model draws nothing at random"
        raise SpecError(Diagnostic("equal-samples", message, help="compile it with --mc-dropout"))
    deviation = {name: np.sqrt(array / (count - 1)) for name, array in squares.items()}
    return Spread(
        {name: array.astype(types[name]) for name, array in mean.items()},
        {name: array.astype(types[name]) for name, array in deviation.items()},
    )
