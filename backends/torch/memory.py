"""Images with the channels last in memory: so convolutions and pools are trained faster on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.backend import need

if TYPE_CHECKING:
    from torch import Tensor, nn

torch = need("torch", "torch")


def channels_last(module: nn.Module) -> None:
    """Hold kernels so; and gradients of images as their images are.

    A flatten gives the gradient with the channels first. Through a pool or an activation, two layouts in one
    backward pass take ten times as long as one.
    """
    module.to(memory_format=torch.channels_last)
    for layer in module.modules():
        if not any(layer.children()):
            layer.register_forward_hook(_watch)


def held(x: Tensor) -> Tensor:
    """Images with their axes as they lie in memory, so that whole examples are picked out of it."""
    return x.permute(0, 2, 3, 1).contiguous() if x.dim() == 4 else x


def given(x: Tensor) -> Tensor:
    """The same with the spec's order of axes again."""
    return x.permute(0, 3, 1, 2) if x.dim() == 4 else x


def _watch(_layer: nn.Module, _inputs: tuple[Tensor, ...], output: object) -> None:
    if isinstance(output, torch.Tensor) and output.dim() == 4 and output.requires_grad:
        output.register_hook(_laid_out)


def _laid_out(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)
