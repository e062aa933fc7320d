"""Ops that trade positions for steps, windows or channels. None has weights."""

from __future__ import annotations

from netspec.backends.reference.ops.reshape import regroup
from netspec.backends.reference.rows import ROWS
from netspec.ops.positions import (
    PixelShuffle,
    PixelUnshuffle,
    Shuffle,
    Tokens,
    Untokens,
    Unwindows,
    Windows,
)

ROWS.row(Tokens, Untokens, Windows, Unwindows, Shuffle, PixelShuffle, PixelUnshuffle)(regroup)
