"""What times a model file: ONNX Runtime and OpenVINO. Knows nothing of specs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from netspec.backend import need
from netspec.bench.engine import Arrays, Engine, Opener


def open_onnxruntime(path: Path, threads: int) -> Engine:
    """An `InferenceSession` on the CPU with all its graph optimizations."""
    runtime = need("onnxruntime", "ort")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Its threads would go on spinning while the next runtime has its turn.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def prepare(inputs: Arrays) -> Callable[[], Any]:
        return lambda: session.run(None, inputs)

    return Engine(prepare, lambda result: dict(zip(names, result, strict=True)))


def open_openvino(path: Path, threads: int) -> Engine:
    """OpenVINO's CPU plugin, for latency and in float32."""
    openvino = need("openvino", "openvino")
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = openvino.Core()
    model = core.read_model(path)
    names = [port.any_name for port in model.outputs]

    def prepare(inputs: Arrays) -> Callable[[], Any]:
        sized = model.clone()
        sized.reshape({name: array.shape for name, array in inputs.items()})
        request = core.compile_model(sized, "CPU", settings).create_infer_request()
        return lambda: request.infer(inputs)

    def read(result: Any) -> dict[str, Any]:
        return {name: result[index] for index, name in enumerate(names)}

    return Engine(prepare, read)


ENGINES: dict[str, Opener] = {"ort": open_onnxruntime, "openvino": open_openvino}
