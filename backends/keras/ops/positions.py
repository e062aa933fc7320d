"""Ops that trade positions for steps, windows or channels: how Keras realises them."""

from __future__ import annotations

from netspec.backends.keras.ops.reshape import regroup
from netspec.backends.keras.rows import ROWS
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
