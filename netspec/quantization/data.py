"""The data that a network is calibrated with and judged on. Knows no framework."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netspec.arrays import load_arrays
from netspec.bench.engine import Arrays
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph
from netspec.sizes import measure
from netspec.weights import Array, np

CHUNK = 32
"""Examples that run at once."""


class Data(NamedTuple):
    """Inputs by name, batch first and in the spec's order of axes; labels where there are, one for each example."""

    inputs: Arrays
    labels: Array | None = None

    @property
    def examples(self) -> int:
        """The number of examples."""
        return len(next(iter(self.inputs.values())))

    def batches(self, *, alike: bool = False) -> Iterator[Arrays]:
        """All examples in their order, some at once; in batches of one size where they should be `alike`."""
        size = CHUNK
        if alike:
            size = next(each for each in range(CHUNK, 0, -1) if self.examples % each == 0)
        for first in range(0, self.examples, size):
            yield {name: array[first : first + size] for name, array in self.inputs.items()}


def load_data(graph: Graph, paths: Sequence[str], labels: str | None = None) -> Data:
    """The inputs of a network from array files, and labels from `FILE:NAME`.

    Files may hold other arrays beside the inputs; one array that is alone, labels not counted, needs no
    name. Raises `SpecError` where inputs are missing or do not fit.
    """
    found = load_arrays(paths)
    wanted = {node.name: node for node in graph.inputs}
    array_of, label = _labels(labels)
    if not isinstance(found, dict):
        found = {"": found}
    elif label is not None and labels is not None and labels.rpartition(":")[0] in paths:
        found = {name: array for name, array in found.items() if name != label}
    if len(wanted) == len(found) == 1:
        found = {next(iter(wanted)): next(iter(found.values()))}
    if missing := [name for name in wanted if name not in found]:
        message = f"the input `{missing[0]}` ({wanted[missing[0]].shape}) is not given"
        given = ", ".join(f"`{name}`" for name in found if name) or "one array without a name"
        raise SpecError(Diagnostic("missing-input", message, help=f"there is {given}"))
    inputs = {
        name: np.asarray(found[name], np.float32 if node.shape.dtype == "float" else np.int64)
        for name, node in wanted.items()
    }
    measure(graph, {name: array.shape[1:] for name, array in inputs.items()})
    counts = {name: len(array) for name, array in inputs.items()}
    if array_of is not None:
        counts["the labels"] = len(array_of)
    if len(set(counts.values())) > 1 or 0 in counts.values():
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        message = f"arrays have different numbers of examples, or none: {said}"
        raise SpecError(Diagnostic("unequal-inputs", message))
    return Data(inputs, array_of)


def _labels(place: str | None) -> tuple[Array | None, str | None]:
    """The labels in `FILE:NAME`, and what they are called there."""
    if place is None:
        return None, None
    path, _, name = place.rpartition(":")
    if not path:
        message = f"`{place}` names no array of a file"
        raise SpecError(Diagnostic("bad-labels", message, help=f"write {place}:NAME"))
    arrays = load_arrays([path])
    if not isinstance(arrays, dict) or name not in arrays:
        message = f"{path} holds no array `{name}`"
        raise SpecError(Diagnostic("bad-labels", message))
    if arrays[name].dtype.kind not in "iu":
        message = f"the labels `{name}` are {arrays[name].dtype}, and should be whole numbers"
        raise SpecError(Diagnostic("bad-labels", message, help="give the number of each class"))
    return arrays[name], name
