"""The PyTorch target: a source file with one `nn.Module` per block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.backends.torch import layer
from netspec.backends.torch.module import emit_module
from netspec.backends.torch.rows import ROWS
from netspec.backends.torch.weights import load_into, read_from
from netspec.ir import Graph, Node

if TYPE_CHECKING:
    from torch import nn

    from netspec.backend import Session
    from netspec.weights import Weights

__all__ = [
    "EXTRA",
    "ROWS",
    "SUFFIX",
    "build",
    "describe",
    "emit",
    "load_into",
    "open_session",
    "read_from",
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
