"""What a runtime is to the clock, and the files in which it finds a network. Knows no runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from netspec.arrays import dump_arrays
from netspec.ir import Graph
from netspec.weights import Array, Weights, dump_weights, load_weights, np

Arrays: TypeAlias = Mapping[str, Array]


class Engine(NamedTuple):
    """A network that is loaded in some runtime.

    `prepare` takes the inputs of a batch, by name, batch first and in the spec's order of axes, and gives what
    runs it: the inputs are in the runtime's own form by then, and so is the result. `read` gives the
    outputs in the result by name.
    """

    prepare: Callable[[Arrays], Callable[[], Any]]
    read: Callable[[Any], dict[str, Array]]


Opener: TypeAlias = Callable[[Path, int], Engine]
"""Loads what lies at a path, a folder of `write_network` or a model file, to run on so many threads."""


def write_network(folder: Path, graph: Graph, weights: Weights) -> None:
    """Fill a new folder for `read_network`."""
    folder.mkdir()
    (folder / "graph.json").write_text(graph.to_json(), "utf-8")
    (folder / "weights.safetensors").write_bytes(dump_weights(weights, graph))


def read_network(folder: Path) -> tuple[Graph, Weights]:
    """The network that was written there."""
    graph = Graph.from_json((folder / "graph.json").read_text("utf-8"))
    return graph, load_weights(folder / "weights.safetensors")


def write_arrays(path: Path, arrays: Arrays) -> None:
    """A file for `read_arrays`."""
    path.write_bytes(dump_arrays(arrays, path.name))


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays by name."""
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)
