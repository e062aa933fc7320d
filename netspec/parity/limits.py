"""How far a target may be from the reference; docs/verification.md has the reasons."""

from __future__ import annotations

from collections.abc import Iterable

from netspec.ir import Graph
from netspec.parity.compare import Check, check_predictions, check_step
from netspec.parity.exchange import Answer
from netspec.parity.runner import Job

FLOAT64 = 1e-9
FLOAT64_BY_TARGET = {"onnx": 1e-7}
FLOAT64_BY_OP = {
    ("keras", "attention"): 1e-7,
    ("keras", "gelu"): 1e-7,
    ("keras", "leaky_relu"): 1e-7,
    ("torch", "celu"): 1e-7,
    ("torch", "hardsigmoid"): 1e-7,
}

FLOAT32_FLOOR, FLOAT32_FACTOR, FLOAT32_CEILING = 2e-6, 4, 1e-2
STEP_FLOOR, STEP_FACTOR, STEP_CEILING = 1e-2, 8, 1.0


class Limits:
    """Bounds on relative errors, for one network with its weights and inputs.

    Float32 is bounded by what it costs where nothing is wrong: PyTorch's own error, which NumPy's
    bounds in turn, so that a PyTorch that is wrong does not widen what the others may be. Without
    PyTorch, and in training, it is NumPy's. `rounded` is NumPy's answer in float32, `torch`
    PyTorch's; a verification in float64 alone needs neither.
    """

    def __init__(
        self, graph: Graph, truth: Answer, rounded: Answer | None, torch: Answer | None
    ) -> None:
        self._kinds = {node.op.kind for node in graph.nodes}
        self._rounded = _predicted(rounded, truth)
        self._torch = _predicted(torch, truth)
        self._stepped = _stepped(rounded, truth)

    def output(self, job: Job, name: str) -> float:
        """For an output in inference."""
        if job.precision == "float64":
            return self._exact(job.target)
        limit = inference_limit(self._rounded[name])
        if job.target == "torch" or not self._torch:
            return limit
        return inference_limit(min(self._torch[name], limit))

    def step(self, job: Job, quantity: str) -> float:
        """For outputs, gradients or statistics of a training step."""
        if job.precision == "float64":
            return self._exact(job.target)
        yardstick = self._stepped.get(quantity, 0)
        return min(max(STEP_FLOOR, STEP_FACTOR * yardstick), STEP_CEILING)

    def _exact(self, target: str) -> float:
        """In float64; more where the framework itself keeps constants in float32."""
        loose = [FLOAT64_BY_OP.get((target, kind), FLOAT64) for kind in self._kinds]
        return max(FLOAT64_BY_TARGET.get(target, FLOAT64), *loose)


def inference_limit(yardstick: float) -> float:
    """What float32 may be off by, where a run that is trusted is off by `yardstick`."""
    return min(max(FLOAT32_FLOOR, FLOAT32_FACTOR * yardstick), FLOAT32_CEILING)


def _predicted(answer: Answer | None, truth: Answer) -> dict[str, float]:
    """The worst error of each output."""
    if answer is None:
        return {}
    checks = check_predictions(answer.predictions, truth.predictions, lambda _: FLOAT64)
    return _worst((check.name, check) for check in checks)


def _stepped(answer: Answer | None, truth: Answer) -> dict[str, float]:
    """The worst error of each quantity of the training step."""
    if answer is None or answer.step is None or truth.step is None:
        return {}
    checks = check_step(answer.step, truth.step, lambda _: FLOAT64)
    return _worst((check.quantity, check) for check in checks)


def _worst(checks: Iterable[tuple[str, Check]]) -> dict[str, float]:
    errors: dict[str, float] = {}
    for key, check in checks:
        errors[key] = max(errors.get(key, 0), check.relative)
    return errors
