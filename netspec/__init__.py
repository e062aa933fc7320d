"""The public names of netspec; each is loaded when it is first used, so that `import netspec` costs nothing."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netspec.checkpoints.formats import load_matched
    from netspec.compiler import (
        Artifact,
        build,
        compile,  # noqa: A004 (the public name)
        get_weights,
        load,
        parse,
        set_weights,
    )
    from netspec.diagnostics import Diagnostic, SpecError
    from netspec.ir import Graph, Node, Output, Scope
    from netspec.net import Net, Tensor
    from netspec.parity import verify
    from netspec.passes import optimize
    from netspec.shape import Shape
    from netspec.summary import summarize
    from netspec.weights import init_weights, load_weights, save_weights
    from netspec.writing import write

# A checkout keeps `backends/` and `grammar/` beside this folder; an installed package has them inside it.
_beside = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if not os.path.isdir(os.path.join(os.path.dirname(__file__), "backends")):
    __path__.append(_beside)

_HOMES = {
    "Artifact": "netspec.compiler",
    "Diagnostic": "netspec.diagnostics",
    "Graph": "netspec.ir",
    "Net": "netspec.net",
    "Node": "netspec.ir",
    "Output": "netspec.ir",
    "Scope": "netspec.ir",
    "Shape": "netspec.shape",
    "SpecError": "netspec.diagnostics",
    "Tensor": "netspec.net",
    "build": "netspec.compiler",
    "compile": "netspec.compiler",
    "get_weights": "netspec.compiler",
    "init_weights": "netspec.weights",
    "load": "netspec.compiler",
    "load_matched": "netspec.checkpoints.formats",
    "load_weights": "netspec.weights",
    "optimize": "netspec.passes",
    "parse": "netspec.compiler",
    "save_weights": "netspec.weights",
    "set_weights": "netspec.compiler",
    "summarize": "netspec.summary",
    "verify": "netspec.parity",
    "write": "netspec.writing",
}

__all__ = [
    "Artifact",
    "Diagnostic",
    "Graph",
    "Net",
    "Node",
    "Output",
    "Scope",
    "Shape",
    "SpecError",
    "Tensor",
    "build",
    "compile",
    "get_weights",
    "init_weights",
    "load",
    "load_matched",
    "load_weights",
    "optimize",
    "parse",
    "save_weights",
    "set_weights",
    "summarize",
    "verify",
    "write",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
