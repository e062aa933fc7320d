"""A compiler for specs of neural networks: one op, one meaning in PyTorch, Keras and ONNX, and the proof of it.

    import netspec

    graph = netspec.parse("input 1 28 28 -> conv 32 3 -> relu -> gap -> dense 10")
    source = netspec.compile(graph, target="torch").text
    module = netspec.build(graph, target="torch", seed=0)
    assert netspec.verify(graph, targets=["torch"]).passed

Networks
    parse           the graph of a spec's text
    load            the graph of a `.net` file, or of a graph saved as JSON
    Net, Tensor     a network written in Python, with the words of the language
    Limits          bounds on what a spec may ask for
    Graph           a whole network, flat and immutable: its Nodes, Outputs and Scopes, each result with its Shape
    summarize       shapes, parameters, multiply-adds and memory

Targets
    compile         a file for `torch`, `keras`, `onnx` or `ir` in memory, an Artifact
    write           the same on disk, with the weights, as the name of the file asks
    build           a live `nn.Module`, `keras.Model` or `InferenceSession`
    verify          every target against the float64 reference
    optimize        a network and its weights rewritten for inference

Weights, as NumPy arrays under the names of the spec
    init_weights    the first weights, the same for every target
    load_weights    the tensors of a safetensors file
    save_weights    a graph's weights as safetensors
    load_matched    a graph's weights from a file in any format
    get_weights     those of a live model
    set_weights     give them to a live model

What is wrong with a spec, a file or an argument raises SpecError. Its `diagnostics`, each a Diagnostic, say what is
wrong, where it stands and how to mend it; any other exception is a bug. Shapes are of one example, channels first;
`help(netspec.parse)` and its kind tell more. Each name is loaded when it is first used, so that `import netspec`
costs nothing.
"""

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
    from netspec.limits import Limits
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
    "Limits": "netspec.limits",
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
    "Limits",
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
