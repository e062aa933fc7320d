"""PyTorch's own export to ONNX, the yardstick for ours."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import torch

# It tells at every call that torchvision is not installed.
logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)


def export(module: torch.nn.Module, images: torch.Tensor, path: Path) -> None:
    """Write what `torch.onnx.export` makes of a module in eval mode, the batch symbolic."""
    batch = ({0: torch.export.Dim.DYNAMIC},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module, (images,), dynamo=True, dynamic_shapes=batch, external_data=False, verbose=False
        )
    program.save(path)
