"""The table of rows, and what rows for windows share. Knows no op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from netspec.backend import Rows
from netspec.backends.torch.layer import MODULE, Layer
from netspec.emit.source import Call, Expr
from netspec.shape import split_pads

Row: TypeAlias = Callable[..., Layer]


ROWS: Rows[Row] = Rows("torch")


def symmetric(pads: Sequence[int]) -> bool:
    """Whether every axis has as much before as after."""
    return all(before == after for before, after in split_pads(pads))


def around(pads: Sequence[int]) -> tuple[int, ...]:
    """Padding in the order of `F.pad`: the last axis first, before and after together."""
    return tuple(side for pair in reversed(split_pads(pads)) for side in pair)


def applied_to(expr: Expr) -> Call:
    """The template of a module that is applied to an expression."""
    return Call(MODULE, {"0": expr})
