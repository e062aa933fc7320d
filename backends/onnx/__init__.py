"""The ONNX target: a checked ModelProto with the spec's names. Loads onnx when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netspec.backend import Session
from netspec.backends.onnx import rows
from netspec.backends.onnx.rows import ROWS
from netspec.ir import Graph, Node

if TYPE_CHECKING:
    from netspec.checkpoints.matching import Matched
    from netspec.checkpoints.tensors import Checkpoint
    from netspec.runtime import Runner
    from netspec.weights import Weights

__all__ = [
    "EXTRA",
    "ROWS",
    "SUFFIX",
    "build",
    "describe",
    "emit",
    "match_file",
    "open_session",
    "read_file",
    "write_file",
]

SUFFIX = ".onnx"
EXTRA = "ort"


def describe(graph: Graph, node: Node) -> str:
    """The ONNX nodes at the default opset, as nested calls."""
    inputs = tuple(f"x{i + 1}" if len(node.inputs) > 1 else "x" for i in range(len(node.inputs)))
    owned = [weight.name or "weight" for _, weight in graph.weights_of(node)]
    site = rows.Site.alone(inputs, graph.input_shapes(node), owned)
    return rows.describe(ROWS[node.op](node.op, site))


def emit(graph: Graph, weights: Weights | None, *, opset: int = rows.DEFAULT_OPSET) -> bytes:
    """The file, checked; without weights it carries fresh ones of seed 0, as it must hold some.

    `opset` is 17 to 24. Raises `SpecError` where the graph cannot be written.
    """
    from netspec.backends.onnx.graph import assemble, serialize
    from netspec.weights import init_weights

    return serialize(
        assemble(graph, init_weights(graph) if weights is None else weights, opset=opset)
    )


def build(graph: Graph, weights: Weights) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU."""
    return _run(graph, weights).session


def open_session(graph: Graph, weights: Weights, precision: str) -> Session:
    """ONNX Runtime in `float32`; ONNX's reference evaluator on the double graph in `float64`."""
    from netspec.backends.onnx.graph import assemble
    from netspec.backends.onnx.session import ReferenceSession, RuntimeSession
    from netspec.passes import Model
    from netspec.passes.deterministic import deterministic

    graph = deterministic(Model(graph)).graph
    if precision == "float64":
        return ReferenceSession(assemble(graph, weights, double=True))
    return RuntimeSession(_run(graph, weights))


def _run(graph: Graph, weights: Weights) -> Runner:
    from netspec.backends.onnx import graph as models
    from netspec.runtime import open_session as open_runtime

    if models.size_of(weights) <= models.LARGEST:
        return open_runtime(emit(graph, weights))
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="netspec-") as folder:  # the session maps what is in it
        path = f"{folder}/model{SUFFIX}"
        write_file(graph, weights, path, SUFFIX)
        return open_runtime(path)


def write_file(
    graph: Graph, weights: Weights, path: str, suffix: str, *, opset: int = rows.DEFAULT_OPSET
) -> Sequence[str]:
    """What `emit` gives, or above 2 GiB a model and a file of weights beside it."""
    from netspec.backends.onnx import files

    assert suffix == SUFFIX
    return files.write(graph, weights, path, opset)


def read_file(path: str, key: str | None) -> Checkpoint:
    """The float initializers of a model; takes no key."""
    from netspec.backends.onnx import files

    assert key is None
    return files.read(path)


def match_file(file: Checkpoint, graph: Graph, **how: Any) -> Matched:
    """The graph's weights, from tensors in PyTorch's layouts."""
    from netspec.checkpoints.matching import match_names

    return match_names(file, graph, **how)
