"""PyTorch as `netspec bench` times it: eager, channels last, compiled, and its own export in ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.backends.torch.live import build_module
from netspec.bench.engine import Arrays, Engine, Opener, read_network
from netspec.bench.files import open_onnxruntime
from netspec.ir import Graph
from netspec.weights import np

if TYPE_CHECKING:
    from torch import Tensor

torch = need("torch", "torch")


def _open(
    folder: Path, threads: int, *, channels_last: bool = False, compiled: bool = False
) -> Engine:
    """The emitted module in inference mode."""
    torch.set_num_threads(threads)
    graph, weights = read_network(folder)
    module: Any = build_module(graph, weights)
    form = torch.channels_last if channels_last else torch.contiguous_format
    module = module.to(memory_format=form)
    if compiled:
        module = torch.compile(module, dynamic=False)

    def prepare(inputs: Arrays) -> Callable[[], Any]:
        tensors = [
            each.contiguous(memory_format=form) if each.ndim == 4 else each
            for each in _tensors(graph, inputs)
        ]

        def run() -> Any:
            with torch.inference_mode():
                return module(*tensors)

        return run

    def read(result: Any) -> dict[str, Any]:
        values = result if isinstance(result, tuple) else (result,)
        named = zip(graph.outputs, values, strict=True)
        return {output.name: value.contiguous().numpy() for output, value in named}

    return Engine(prepare, read)


def _tensors(graph: Graph, inputs: Arrays) -> list[Tensor]:
    return [
        torch.from_numpy(inputs[node.name])
        if node.shape.dtype == "float"
        else torch.from_numpy(inputs[node.name]).long()
        for node in graph.inputs
    ]


def export(
    module: Any,
    examples: Sequence[Tensor],
    path: Path,
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
) -> None:
    """Write what `torch.onnx.export` makes of a module in eval mode, the batch symbolic."""
    # It tells at every call that torchvision is not installed.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tuple(examples),
            dynamo=True,
            dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in examples),
            input_names=inputs,
            output_names=outputs,
            external_data=False,
            verbose=False,
        )
    program.save(path)


def _open_export(folder: Path, threads: int) -> Engine:
    """PyTorch's export of the emitted module, in ONNX Runtime as everything else is there."""
    graph, weights = read_network(folder)
    path = folder / "export.onnx"
    shapes = {node.name: np.zeros((2, *node.shape.sizes), np.float32) for node in graph.inputs}
    export(
        build_module(graph, weights),
        _tensors(graph, shapes),
        path,
        inputs=list(shapes),
        outputs=[output.name for output in graph.outputs],
    )
    return open_onnxruntime(path, threads)


ENGINES: dict[str, Opener] = {
    "torch": _open,
    "torch-channels-last": partial(_open, channels_last=True),
    "torch-compile": partial(_open, compiled=True),
    "torch-export-ort": _open_export,
}
