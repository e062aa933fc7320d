"""The table of rows, and what rows for windows share. Knows no op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from netspec.backend import Rows
from netspec.backends.torch.layer import MODULE, Layer
from netspec.emit.source import Call, Expr, Items, call
from netspec.shape import split_pads, window_extent

Row: TypeAlias = Callable[..., Layer]


ROWS: Rows[Row] = Rows("torch", reuses=True)


def symmetric(pads: Sequence[int]) -> bool:
    """Whether every axis has as much before as after."""
    return all(before == after for before, after in split_pads(pads))


def around(pads: Sequence[int]) -> tuple[int, ...]:
    """Padding in the order of `F.pad`: the last axis first, before and after together."""
    return tuple(side for pair in reversed(split_pads(pads)) for side in pair)


def padded_at_run_time(
    x: Expr, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int] = ()
) -> Call:
    """What `F.pad` adds for `same` padding around `x`, of whose sizes some are known only at run time."""
    extents = map(window_extent, kernel, dilation or (1,) * len(kernel))
    return call("same_padding", x, Items(tuple(extents)), Items(tuple(stride)))


def applied_to(expr: Expr) -> Call:
    """The template of a module that is applied to an expression."""
    return Call(MODULE, {"0": expr})
