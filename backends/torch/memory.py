"""How training uses memory on the CPU: images with the channels last, and no page asked for twice."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netspec.backend import need

if TYPE_CHECKING:
    from torch import Tensor, nn

torch = need("torch", "torch")

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of `mallopt` (malloc.h)."""

_NEVER = -1
_USUAL = {_TRIM_THRESHOLD: 1 << 26, _MMAP_MAX: 1 << 16}
"""The most that glibc lets the heap keep by its own rule, in bytes, and how many mappings it allows."""


@contextmanager
def kept() -> Iterator[None]:
    """Have glibc keep what is freed for the next step, and give back afterwards what is free.

    Otherwise it returns large tensors to the system at once; the next step gets them as pages that are mapped
    and cleared one by one, which can take as long as all the rest. A heap that keeps everything has gaps: it may need
    half as much memory again. Where glibc does not allocate, or is told by the environment when to return memory,
    nothing changes.
    """
    if platform.libc_ver()[0] != "glibc" or "MALLOC_TRIM_THRESHOLD_" in os.environ:
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        for parameter, value in _USUAL.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)


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
