"""The data that a network is calibrated with and judged on. Knows no framework."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from netspec.arrays import load_arrays
from netspec.bench.engine import Arrays
from netspec.diagnostics import Diagnostic, SpecError
from netspec.intake import load_inputs, pictures_in
from netspec.ir import Graph
from netspec.labelled import Reading, listed, numbered
from netspec.sizes import measure
from netspec.tables import data_places, is_table, open_table
from netspec.training.data import BUNDLED, Part
from netspec.training.data import load_data as load_labelled
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


def load_both(
    graph: Graph,
    calibrate: Sequence[str],
    evaluate: Sequence[str] = (),
    labels: str | None = None,
    reading: Reading = Reading(),  # noqa: B008 (immutable)
) -> tuple[Data, Data | None]:
    """The data to calibrate with, and others to judge by: `evaluate`, or the test part of data that have one.

    Bundled sets, folders of pictures by class and tables with a column more than the input takes have labels of their
    own; those of arrays are in `FILE:NAME`. Raises `SpecError` where data do not fit the network.
    """
    first = _load(graph, calibrate, None if evaluate else labels, reading)
    if not evaluate:
        return first.train, first.test
    second = _load(graph, evaluate, labels, reading, first.classes)
    return first.train, second.test or second.train


class _Loaded(NamedTuple):
    train: Data
    test: Data | None = None
    classes: tuple[str, ...] = ()


def _load(
    graph: Graph,
    paths: Sequence[str],
    labels: str | None,
    reading: Reading,
    classes: tuple[str, ...] = (),
) -> _Loaded:
    """Data in their parts, whose labels are numbered as these classes, if there are any."""
    if not _is_labelled(graph, paths, reading):
        return _Loaded(load_data(graph, paths, labels, reading))
    if labels is not None:
        message = f"{paths[0]} has labels of its own, and `{labels}` is to have them"
        raise SpecError(Diagnostic("bad-labels", message, help="leave one of them out"))
    wanted = {node.name: node.shape.sizes for node in graph.inputs}
    found = load_labelled(paths[0], wanted, reading)
    known = (classes or found.classes) if found.classes else ()
    shape = graph.by_name[graph.outputs[0].node].shape
    if known and "c" in shape.axes and shape.axis("c") not in (1, len(known)):
        message = f"the data have {len(known)} classes ({listed(known, 5)}), and the network "
        raise SpecError(Diagnostic("bad-labels", f"{message}tells {shape.axis('c')} apart"))

    def taken(part: Part) -> Data:
        y = part.y
        if known:
            y = numbered(np.array(found.classes)[y], known, paths[0])
        return _fitted(graph, dict(part.x), y if y.dtype.kind in "iu" else None)

    test = None if found.test is None else taken(found.test)
    return _Loaded(taken(found.train), test, known)


def _is_labelled(graph: Graph, paths: Sequence[str], reading: Reading) -> bool:
    """Whether the data have labels of their own."""
    path = paths[0]
    if len(paths) > 1 or len(graph.inputs) > 1:
        return False
    if path in BUNDLED or (os.path.isdir(path) and not pictures_in(path)):
        return True
    if not is_table(path):
        return False
    columns = len(data_places(open_table(path)))
    return reading.label is not None or (
        not reading.columns and columns == 1 + graph.inputs[0].shape.elements
    )


def load_data(
    graph: Graph,
    paths: Sequence[str],
    labels: str | None = None,
    reading: Reading = Reading(),  # noqa: B008 (immutable)
) -> Data:
    """The inputs of a network from arrays, pictures and tables of nothing else, and labels from `FILE:NAME`.

    Files may hold other arrays beside the inputs; one array that is alone, labels not counted, needs no
    name. Raises `SpecError` where inputs are missing or do not fit.
    """
    sizes = {node.name: node.shape.sizes for node in graph.inputs}
    found, _ = load_inputs(paths, sizes, reading.pictures, reading.columns)
    array_of, label = _labels(labels)
    if not isinstance(found, dict):
        found = {"": found}
    elif label is not None and labels is not None and labels.rpartition(":")[0] in paths:
        found = {name: array for name, array in found.items() if name != label}
    return _fitted(graph, found, array_of)


def _fitted(graph: Graph, found: Arrays, labels: Array | None) -> Data:
    """Inputs by name, as many as labels. Raises `SpecError`."""
    wanted = {node.name: node for node in graph.inputs}
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
    if labels is not None:
        counts["the labels"] = len(labels)
    if len(set(counts.values())) > 1 or 0 in counts.values():
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        message = f"arrays have different numbers of examples, or none: {said}"
        raise SpecError(Diagnostic("unequal-inputs", message))
    return Data(inputs, labels)


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
