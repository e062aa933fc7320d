"""Sessions over a model: ONNX Runtime in float32, ONNX's reference evaluator in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_conv_transpose, op_log_softmax, op_max_pool, op_rnn

from netspec.backend import Step

if TYPE_CHECKING:
    from netspec.runtime import Runner
    from netspec.weights import Array


class ConvTranspose(op_conv_transpose.ConvTranspose):  # type: ignore[misc]
    """ONNX's own, group by group: in onnx 1.23 it crashes where `group` is above 1."""

    op_domain = ""

    def _run(
        self, x: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> tuple[Array]:
        whole: Callable[..., tuple[Array]] = super()._run
        group = attributes.pop("group")
        biases = [None] * group if bias is None else np.split(bias, group)
        parts = zip(np.split(x, group, axis=1), np.split(weight, group), biases, strict=True)
        results = [whole(*part, group=1, **attributes)[0] for part in parts]
        return (np.concatenate(results, axis=1),)


class RNN(op_rnn.RNN_14):  # type: ignore[misc]
    """ONNX's own, which in onnx 1.23 does not know `Relu`."""

    op_domain = ""

    def choose_act(self, name: str, alpha: float, beta: float) -> Callable[[Array], Array]:
        """The activation of that name."""
        if name == "Relu":
            return lambda x: np.maximum(x, 0)
        known: Callable[[Array], Array] = super().choose_act(name, alpha, beta)
        return known


class LRN(OpRun):  # type: ignore[misc]
    """Local response norm, whose last channel onnx 1.23 leaves out of each sum."""

    op_domain = ""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array]:
        size, alpha, beta, bias = (attributes[name] for name in ("size", "alpha", "beta", "bias"))
        margin, channels = size // 2, x.shape[1]
        squares = np.pad(x * x, [(0, 0), (margin, margin)] + [(0, 0)] * (x.ndim - 2))
        total = np.add.reduce([squares[:, first : first + channels] for first in range(size)])
        return ((x / (bias + alpha / size * total) ** beta),)


class MaxPool(op_max_pool.MaxPool):  # type: ignore[misc]
    """ONNX's own by its general way: that for a stride of 1 fails in onnx 1.23 where only one side is padded."""

    op_domain = ""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array]:
        found: tuple[Array] = self._max_pool(x, **attributes)
        return found


class LogSoftmax(op_log_softmax.LogSoftmax):  # type: ignore[misc]
    """ONNX's own takes the logarithm of a softmax, which is zero for numbers far below the largest."""

    op_domain = ""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array]:
        axis = attributes.get("axis", self.axis)
        shifted = x - x.max(axis=axis, keepdims=True)
        return (shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)),)


class _Inference:
    """Both kinds predict only."""

    def train_step(self, inputs: Mapping[str, Array], cotangents: Mapping[str, Array]) -> Step:
        """ONNX graphs are written for inference."""
        raise NotImplementedError("the onnx target cannot train")


class RuntimeSession(_Inference):
    """ONNX Runtime on the CPU."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, float32."""
        return self._runner.run(inputs)


_MENDED = [ConvTranspose, LogSoftmax, LRN, MaxPool, RNN]


class ReferenceSession(_Inference):
    """ONNX's reference evaluator on a double model: ONNX Runtime lacks most double kernels."""

    def __init__(self, model: Any) -> None:
        self._evaluator = ReferenceEvaluator(model, new_ops=_MENDED)
        self._outputs = list(self._evaluator.output_names)

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, float64."""
        feeds = {
            name: np.asarray(array, np.float64 if array.dtype.kind == "f" else array.dtype)
            for name, array in inputs.items()
        }
        return dict(zip(self._outputs, self._evaluator.run(None, feeds), strict=True))
