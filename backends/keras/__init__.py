"""The Keras target: a source file with one function per block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netspec.backends.keras import layer
from netspec.backends.keras.module import emit_module
from netspec.backends.keras.rows import ROWS
from netspec.ir import Graph, Node

if TYPE_CHECKING:
    import keras

    from netspec.backend import Session
    from netspec.checkpoints.matching import Matched
    from netspec.checkpoints.tensors import Checkpoint
    from netspec.training.examples import Examples
    from netspec.training.task import Task, Trainer
    from netspec.weights import Array, Weights

__all__ = [
    "EXTRA",
    "ROWS",
    "SUFFIX",
    "build",
    "describe",
    "emit",
    "emit_script",
    "examples_held",
    "load_into",
    "match_file",
    "open_session",
    "open_trainer",
    "read_file",
    "read_from",
    "write_file",
]

SUFFIX = ".py"
EXTRA = "keras"


def emit(graph: Graph, weights: Weights | None = None) -> bytes:
    """The source of the module; the weights are a file of their own."""
    del weights
    return emit_module(graph)[0].encode()


def describe(graph: Graph, node: Node) -> str:
    """The layers, one after another: `layers.ZeroPadding2D(1) -> layers.Conv2D(8, 3, strides=2)`."""
    return layer.describe(ROWS[node.op](node.op, *graph.input_shapes(node)))


def build(graph: Graph, weights: Weights) -> keras.Model:
    """The model that the emitted function returns, with these weights."""
    from netspec.backends.keras.live import build_model

    return build_model(graph, weights)


def open_session(graph: Graph, weights: Weights, precision: str) -> Session:
    """A session on Keras's active backend: TensorFlow, JAX or PyTorch."""
    from netspec.backends.keras.live import KerasSession

    return KerasSession(graph, weights, precision)


def load_into(model: keras.Model, graph: Graph, weights: Weights) -> None:
    """Give a model of the emitted function these weights, in its own precision."""
    from netspec.backends.keras import weights as live

    live.load_into(model, graph, weights)


def read_from(model: keras.Model, graph: Graph) -> dict[str, Array]:
    """Copies of the model's tensors under their canonical names, in canonical layouts."""
    from netspec.backends.keras import weights as live

    return live.read_from(model, graph)


def write_file(graph: Graph, weights: Weights, path: str, suffix: str) -> Sequence[str]:
    """A model or its weights as Keras saves them; the source of a model's own classes is written beside it."""
    from netspec.backends.keras import files

    return files.write(graph, weights, path, suffix)


def read_file(path: str, key: str | None) -> Checkpoint:
    """The variables of a `.keras` or `.weights.h5` file; takes no key."""
    from netspec.backends.keras import archive

    assert key is None
    return archive.read(path)


def match_file(file: Checkpoint, graph: Graph, **how: Any) -> Matched:
    """The graph's weights from Keras's layouts, through a model that is built for it."""
    from netspec.backends.keras import files

    return files.match_to(file, graph, **how)


def open_trainer(task: Task, weights: Weights) -> Trainer:
    """The emitted model, compiled, on Keras's active backend."""
    from netspec.backends.keras.training import KerasTrainer

    return KerasTrainer(task, weights)


def emit_script(task: Task, module: str, stem: str, has_test: bool) -> tuple[str, str]:
    """A script that trains as the task says, and the file of the network beside it."""
    from netspec.backends.keras import script

    return script.emit_script(task, module, stem, has_test)


def examples_held(task: Task, examples: Examples) -> Examples:
    """The examples in the run's precision, channels of images and volumes last."""
    from netspec.backends.keras import script

    return script.examples_held(task, examples)
