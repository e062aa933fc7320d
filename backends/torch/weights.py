"""Canonical weights into a live module and out of it. Names and layouts are PyTorch's own, so nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.backend import need
from netspec.weights import Weights

if TYPE_CHECKING:
    from torch import nn

    from netspec.weights import Array


def load_into(module: nn.Module, weights: Weights) -> None:
    """Copy every tensor into the module, in the module's own precision; the names must be exactly its own."""
    torch = need("torch", "torch")
    module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})


def read_from(module: nn.Module) -> dict[str, Array]:
    """The module's tensors under their canonical names; PyTorch's batch counters are not part of them."""
    return {
        name: tensor.detach().cpu().numpy().copy()
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
