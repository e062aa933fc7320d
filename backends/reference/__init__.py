"""What every op means, in NumPy: the float64 oracle behind all targets. Knows no framework."""

from __future__ import annotations

from typing import NoReturn

from netspec.backends.reference.rows import ROWS
from netspec.backends.reference.session import ReferenceSession
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph, Node
from netspec.weights import Weights

SUFFIX = ""
EXTRA = "weights"

__all__ = ["EXTRA", "ROWS", "SUFFIX", "build", "describe", "emit", "open_session"]


def open_session(graph: Graph, weights: Weights, precision: str) -> ReferenceSession:
    """A session in `float32` or `float64`; the code is the same."""
    ROWS.check(graph)
    return ReferenceSession(graph, weights, precision)


def describe(graph: Graph, node: Node) -> NoReturn:
    """Raises `SpecError`: what it does is not said in another language."""
    del graph, node
    raise _computes_only()


def emit(graph: Graph, weights: Weights | None) -> NoReturn:
    """Raises `SpecError`: there is no file that this backend could write."""
    del graph, weights
    raise _computes_only()


def build(graph: Graph, weights: Weights) -> NoReturn:
    """Raises `SpecError`: there is no framework whose model this backend could build."""
    del graph, weights
    raise _computes_only()


def _computes_only() -> SpecError:
    return SpecError(
        Diagnostic(
            "unsupported",
            "`reference` computes a network and emits nothing",
            help="choose torch, keras or onnx",
        )
    )
