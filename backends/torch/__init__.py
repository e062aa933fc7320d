"""The PyTorch target: a source file with one `nn.Module` per block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netspec.backends.torch import layer
from netspec.backends.torch.module import emit_module
from netspec.backends.torch.rows import ROWS
from netspec.backends.torch.weights import fixed_names, load_into, read_from
from netspec.ir import Graph, Node

if TYPE_CHECKING:
    from torch import nn

    from netspec.backend import Session
    from netspec.checkpoints.matching import Matched
    from netspec.checkpoints.tensors import Checkpoint
    from netspec.training.examples import Examples
    from netspec.training.task import Task, Trainer
    from netspec.weights import Weights

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
EXTRA = "torch"


def emit(graph: Graph, weights: Weights | None = None) -> bytes:
    """The source of the module; the weights are a file of their own."""
    del weights
    return emit_module(graph)[0].encode()


def describe(graph: Graph, node: Node) -> str:
    """The module and its use: `nn.Conv2d(3, 8, 3)`."""
    return layer.describe(ROWS[node.op](node.op, *graph.input_shapes(node)), len(node.inputs))


def build(graph: Graph, weights: Weights) -> nn.Module:
    """The emitted class, instantiated, with these weights, in `eval` mode."""
    from netspec.backends.torch.live import build_module

    return build_module(graph, weights)


def open_session(graph: Graph, weights: Weights, precision: str) -> Session:
    """A session on the CPU."""
    from netspec.backends.torch.live import TorchSession

    return TorchSession(graph, weights, precision)


def write_file(graph: Graph, weights: Weights, path: str, suffix: str) -> Sequence[str]:
    """A state dict, or the network as a program of PyTorch's."""
    from netspec.backends.torch import files

    files.write(graph, weights, path, suffix)
    return [path]


def read_file(path: str, key: str | None) -> Checkpoint:
    """The state dict of a checkpoint, or that under `key` in it."""
    from netspec.backends.torch import files

    return files.read(path, key)


def match_file(file: Checkpoint, graph: Graph, **how: Any) -> Matched:
    """The graph's weights, which have PyTorch's layouts."""
    from netspec.checkpoints.matching import match_names

    return match_names(file, graph, fixed=fixed_names(graph), **how)


def open_trainer(task: Task, weights: Weights) -> Trainer:
    """The emitted class with its optimizer, on the task's device and in its processes."""
    from netspec.backends.torch.training import TorchTrainer

    return TorchTrainer(task, weights)


def emit_script(task: Task, module: str, stem: str, has_test: bool) -> tuple[str, str]:
    """A script that trains as the task says, and the file of the network beside it."""
    from netspec.backends.torch import script

    return script.emit_script(task, module, stem, has_test)


def examples_held(task: Task, examples: Examples) -> Examples:
    """The examples in the run's precision: the order of axes is the spec's."""
    return examples.cast(task.recipe.precision)
