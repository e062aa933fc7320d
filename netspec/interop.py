"""Values of Python and NumPy as the language has them: lists as tuples, numbers as Python's own. Imports no NumPy."""

from __future__ import annotations

from collections.abc import Sequence


def plain(value: object) -> object:
    """A value with its lists as tuples and its numbers as Python's; anything else as it is."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, Sequence):
        return tuple(map(plain, value))
    listed = getattr(value, "tolist", None)  # NumPy's numbers and arrays have it, and PyTorch's
    return plain(listed()) if callable(listed) else value
