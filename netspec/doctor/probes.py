"""What one process finds out about one package: `python -m netspec.doctor.probes NAME FILE`. Judges nothing.

A package that is broken may end its process, or never come back. So each probe has one, and its answer goes to a
file: frameworks print what they like.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from netspec.backend import need

_OLDEST_OPSET, _OLDEST_IR = 17, 8


def probe_torch() -> dict[str, Any]:
    """Whether it computes, and on which devices."""
    torch = need("torch", "torch")
    assert float((torch.ones(2, 2) @ torch.ones(2, 2)).sum()) == 8
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if gpus:
        assert float((torch.ones(2, 2).cuda() @ torch.ones(2, 2).cuda()).sum()) == 8
    return {"version": torch.__version__, "gpus": gpus, "built for": torch.version.cuda}


def probe_keras() -> dict[str, Any]:
    """Whether it computes with the backend that it is set to, and the devices of that."""
    keras = need("keras", "keras")
    assert (
        float(keras.ops.sum(keras.ops.matmul(keras.ops.ones((2, 2)), keras.ops.ones((2, 2))))) == 8
    )
    backend = keras.backend.backend()
    return {"version": keras.__version__, "backend": backend, "gpus": _GPUS[backend]()}


def _tensorflow_gpus() -> list[str]:
    return [each.name for each in need("tensorflow", "keras").config.list_physical_devices("GPU")]


def _jax_gpus() -> list[str]:
    return [str(each) for each in need("jax", "keras").devices() if each.platform == "gpu"]


def _torch_gpus() -> list[str]:
    cuda = need("torch", "torch").cuda
    return [cuda.get_device_name(number) for number in range(cuda.device_count())]


_GPUS: dict[str, Callable[[], list[str]]] = {
    "tensorflow": _tensorflow_gpus,
    "jax": _jax_gpus,
    "torch": _torch_gpus,
}


def probe_onnx() -> dict[str, Any]:
    """The newest operator set and file format that it knows."""
    onnx = need("onnx", "onnx")
    return {
        "version": onnx.__version__,
        "opset": onnx.defs.onnx_opset_version(),
        "ir": int(onnx.IR_VERSION),
    }


def probe_onnxruntime() -> dict[str, Any]:
    """Its execution providers, and the newest operator set and file format that it loads, by trying."""
    ort = need("onnxruntime", "ort")
    ort.set_default_logger_severity(4)
    found: dict[str, Any] = {"version": ort.__version__, "providers": ort.get_available_providers()}
    try:
        onnx = need("onnx", "onnx")
    except Exception:  # another probe says what is wrong with it
        return found
    opsets = range(_OLDEST_OPSET, onnx.defs.onnx_opset_version() + 1)
    irs = range(_OLDEST_IR, int(onnx.IR_VERSION) + 1)
    found["opset"] = max((n for n in opsets if _loads(_identity(n, _OLDEST_IR))), default=0)
    found["ir"] = max((n for n in irs if _loads(_identity(_OLDEST_OPSET, n))), default=0)
    return found


def _identity(opset: int, ir: int) -> bytes:
    """A model that gives back its two numbers."""
    helper, kind = need("onnx.helper", "onnx"), need("onnx", "onnx").TensorProto.FLOAT
    x, y = (helper.make_tensor_value_info(name, kind, [2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    opsets = [helper.make_opsetid("", opset)]
    content: bytes = helper.make_model(
        graph, ir_version=ir, opset_imports=opsets
    ).SerializeToString()
    return content


def _loads(model: bytes) -> bool:
    ort = need("onnxruntime", "ort")
    try:
        ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception:  # of many types; that it does not load is the answer
        return False
    return True


def probe_provider(name: str) -> dict[str, Any]:
    """Whether a session with this provider starts, keeps it and computes; the reason if not."""
    ort = need("onnxruntime", "ort")
    ort.set_default_logger_severity(4)
    numpy = need("numpy", "weights")
    try:
        with redirect_stdout(StringIO()):
            if name == "CUDAExecutionProvider":
                ort.preload_dlls()
            model = _identity(_OLDEST_OPSET, _OLDEST_IR)
            session = ort.InferenceSession(model, providers=[name], enable_fallback=0)
        if name not in session.get_providers():
            return {"works": False, "reason": "a session starts without it"}
        (y,) = session.run(None, {"x": numpy.array([1, 2], numpy.float32)})
        return {"works": y.tolist() == [1, 2], "reason": "it computes something else"}
    except Exception as error:  # whatever it raises is the reason
        return {"works": False, "reason": str(error).strip().partition("\n")[0][:300]}


PROBES: dict[str, Callable[[], dict[str, Any]]] = {
    "torch": probe_torch,
    "keras": probe_keras,
    "onnx": probe_onnx,
    "onnxruntime": probe_onnxruntime,
}


def main(name: str, file: str) -> None:
    """Write what a probe finds as JSON, a provider's where the name is none of a package."""
    found = PROBES[name]() if name in PROBES else probe_provider(name)
    Path(file).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
