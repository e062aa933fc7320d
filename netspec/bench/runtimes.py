"""The runtimes that `netspec bench` knows, and whether each can run here. Imports none of them."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import NamedTuple

from netspec.backend import load_backend
from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.ir import Graph

_TORCH = "netspec.backends.torch.engines"
_KERAS = "netspec.backends.keras.engines"
_FILES = "netspec.bench.files"


class Runtime(NamedTuple):
    """One way to run a network. `model` says what it is given: the `network`, or a `plain` or `optimized` ONNX file."""

    name: str
    about: str
    target: str
    room: str
    engine: str
    model: str
    modules: tuple[str, ...]
    extra: str
    usual: bool = True


RUNTIMES = (
    Runtime("torch", "PyTorch, eager", "torch", _TORCH, "torch", "network", ("torch",), "torch"),
    Runtime(
        "torch-channels-last",
        "PyTorch, images and weights channels last",
        *("torch", _TORCH, "torch-channels-last", "network", ("torch",), "torch"),
    ),
    Runtime(
        "torch-compile",
        "PyTorch, `torch.compile`",
        *("torch", _TORCH, "torch-compile", "network", ("torch",), "torch"),
    ),
    Runtime(
        "keras",
        "Keras on TensorFlow, `predict_on_batch`",
        *("keras", _KERAS, "keras", "network", ("keras", "tensorflow"), "keras"),
    ),
    Runtime(
        "keras-function",
        "Keras on TensorFlow, one `tf.function`",
        *("keras", _KERAS, "keras-function", "network", ("keras", "tensorflow"), "keras"),
    ),
    Runtime(
        "ort",
        "ONNX Runtime, the graph as it is",
        *("onnx", _FILES, "ort", "plain", ("onnx", "onnxruntime"), "ort"),
    ),
    Runtime(
        "ort-optimized",
        "ONNX Runtime, the optimized graph",
        *("onnx", _FILES, "ort", "optimized", ("onnx", "onnxruntime"), "ort"),
    ),
    Runtime(
        "torch-export-ort",
        "ONNX Runtime, PyTorch's own export",
        *("torch", _TORCH, "torch-export-ort", "network"),
        *(("torch", "onnxscript", "onnxruntime"), "bench", False),
    ),
    Runtime(
        "openvino",
        "OpenVINO, the graph as it is",
        *("onnx", _FILES, "openvino", "plain", ("onnx", "openvino"), "openvino"),
    ),
)
"""In the order in which they are shown. Those that are not `usual` run only where they are named."""


def find(name: str) -> Runtime:
    """The runtime of that name. Raises `SpecError` with a suggestion where there is none."""
    names = [runtime.name for runtime in RUNTIMES]
    if name not in names:
        help_ = did_you_mean(name, names) or f"runtimes are {', '.join(names)}"
        raise SpecError(Diagnostic("unknown-runtime", f"there is no runtime `{name}`", help=help_))
    return RUNTIMES[names.index(name)]


def check(runtime: Runtime, graph: Graph) -> None:
    """Raise `SpecError` where the runtime is not installed, or cannot run the graph or runs it as another does."""
    for module in runtime.modules:
        if find_spec(module) is None:
            message = f"the package `{module}` is not installed"
            help_ = f"pip install 'netspec-compiler[{runtime.extra}]'"
            raise SpecError(Diagnostic("missing-package", message, help=help_))
    if runtime.name == "torch-compile" and not _has_compiler():
        message = "`torch.compile` needs a C++ compiler, and none is found"
        raise SpecError(Diagnostic("missing-compiler", message, help="install g++, or set CXX"))
    if runtime.name == "torch-channels-last" and not any(
        node.shape.kind == "image" for node in graph.nodes
    ):
        message = "the network has no images, so that channels last changes nothing"
        raise SpecError(Diagnostic("unsupported", message))
    load_backend(runtime.target).ROWS.check(graph)


def _has_compiler() -> bool:
    """Whether one is there that `torch.compile` looks for."""
    names = [os.environ.get("CXX", ""), "g++", "clang++"]
    return any(shutil.which(name) for name in names if name)
