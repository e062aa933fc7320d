"""Dropout that ONNX Runtime keeps: of ONNX's own op every session makes the identity, in training mode too.

It draws uniform numbers, which no optimization folds or shares. They have no seed in the file, so that layers draw
independently; `onnxruntime.set_seed` before a session is made repeats them. ONNX Runtime 1.31 has no random op of
opset 22 or later.
"""

from __future__ import annotations

from collections.abc import Sequence

from netspec.backends.onnx.rows import Apply, Operand, Site, integers, node, number
from netspec.diagnostics import Diagnostic, SpecError

LATEST = 21
"""The last opset whose random numbers ONNX Runtime draws."""
SELU_LEAST = -1.7580993408473766
"""What `selu` tends to for small inputs: -scale * alpha."""


def kept(site: Site, x: Operand, rate: float, together: Sequence[int] = ()) -> Apply:
    """True with probability 1 - rate, drawn once for all positions along the axes that go `together`."""
    if site.opset > LATEST:
        message = f"ONNX Runtime draws no random numbers in opset {site.opset}, as dropout at inference needs"
        raise SpecError(Diagnostic("bad-opset", message, help=f"choose opset {LATEST} or less"))
    if together:
        first, end = integers(*(0,) * len(together)), integers(*(1,) * len(together))
        x = node("Slice", x, first, end, integers(*together))
    return node("Greater", node("RandomUniformLike", x), number(rate))


def dropped(site: Site, x: Operand, rate: float, together: Sequence[int] = ()) -> Operand:
    """Zero with probability `rate`, and what is kept scaled by 1 / (1 - rate)."""
    if rate == 0:
        return x
    scaled = node("Mul", x, number(1 / (1 - rate))) if rate < 1 else x
    return node("Where", kept(site, x, rate, together), scaled, number(0))


def alpha_dropped(site: Site, x: Operand, rate: float) -> Operand:
    """`selu`'s least value with probability `rate`, and then what gives back mean 0 and variance 1."""
    if rate == 0:
        return x
    scale = ((1 - rate) * (1 + rate * SELU_LEAST**2)) ** -0.5
    chosen = node("Where", kept(site, x, rate), x, number(SELU_LEAST))
    return node("Add", node("Mul", chosen, number(scale)), number(-scale * SELU_LEAST * rate))
