"""INT8 by ONNX Runtime's own quantizer. Knows ONNX models, and nothing of specs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from netspec.backend import need
from netspec.bench.engine import Arrays

METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
"""How the range of an activation is found in calibration, and what ONNX Runtime calls it."""

DYNAMIC_OPS = ("MatMul", "Gemm", "LSTM", "Attention", "EmbedLayerNormalization")
"""What pays with ranges found at run time. Convolutions become 3 to 6 times slower than in float32."""


def quantize_static(
    model: bytes, batches: Iterable[Arrays], *, method: str, reduce_range: bool
) -> bytes:
    """The model in QDQ form: weights int8 per channel, activations uint8 with the ranges that these batches show.

    Batches are of one size: ONNX Runtime's histograms take no others.
    `reduce_range` gives weights 7 bits, for processors whose 8-bit products overflow (x86 without VNNI).
    """
    tools = need("onnxruntime.quantization", "ort")
    waiting = iter(batches)

    class Reader(tools.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def get_next(self) -> Any:
            found = next(waiting, None)
            return None if found is None else dict(found)

    return _convert(
        model,
        lambda before, after: tools.quantize_static(
            before,
            after,
            Reader(),
            quant_format=tools.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=reduce_range,
            nodes_to_exclude=_clips_of_results(model),
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            calibrate_method=getattr(tools.CalibrationMethod, METHODS[method]),
        ),
    )


def quantize_dynamic(model: bytes, *, reduce_range: bool) -> bytes:
    """The model with int8 weights in `DYNAMIC_OPS`; ranges of activations are found at run time."""
    tools = need("onnxruntime.quantization", "ort")
    return _convert(
        model,
        lambda before, after: tools.quantize_dynamic(
            before,
            after,
            op_types_to_quantize=list(DYNAMIC_OPS),
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=tools.QuantType.QInt8,
        ),
    )


def _clips_of_results(model: bytes) -> list[str]:
    """Names of what clips a result of the network: its range would be taken for that of the result itself."""
    graph = need("onnx", "onnx").load_from_string(model).graph
    results = {result.name for result in graph.output}
    return [
        node.name
        for node in graph.node
        if node.op_type in ("Relu", "Clip") and node.input[0] in results
    ]


def _convert(model: bytes, tool: Any) -> bytes:
    """The tools take files and write files."""
    with TemporaryDirectory(prefix="netspec-quantize-") as name, _quiet():
        before, after = Path(name, "before.onnx"), Path(name, "after.onnx")
        before.write_bytes(model)
        if _is_recurrent(model):
            # Loading a model brings its gates into ONNX's order, and the tools look for weights that are stored.
            need("onnxruntime.quantization", "ort").quant_pre_process(
                before, before, skip_onnx_shape=True, skip_symbolic_shape=True
            )
        tool(before, after)
        return after.read_bytes()


def _is_recurrent(model: bytes) -> bool:
    graph = need("onnx", "onnx").load_from_string(model).graph
    return any(node.op_type in ("LSTM", "GRU", "RNN") for node in graph.node)


@contextmanager
def _quiet() -> Iterator[None]:
    """The tools print what they do, and advise, by warnings, what has been done already or is not wanted."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        logging.disable(level)
