"""Networks in INT8 and float16 for deployment, and what that costs in accuracy. Below it, what converts and judges."""

from netspec.quantization.convert import FORMS, quantize
from netspec.quantization.quality import Thresholds

__all__ = ["FORMS", "Thresholds", "quantize"]
