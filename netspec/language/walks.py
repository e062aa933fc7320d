"""Runs what asks for more of itself on a stack of its own. Knows nothing of what it runs."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias

Walk: TypeAlias = Generator["Walk", None, None]
"""A piece of expansion that may ask for others: Python's stack does not follow a spec's depth."""


def run(walk: Walk) -> None:
    """Drive a walk and all that it asks for, on a stack of our own."""
    stack = [walk]
    error: Exception | None = None
    while stack:
        try:
            if error is None:
                stack.append(next(stack[-1]))
            else:
                raised, error = error, None
                stack.append(stack[-1].throw(raised))
        except StopIteration:
            stack.pop()
        except Exception as raised:
            stack.pop()
            error = raised
    if error is not None:
        raise error
