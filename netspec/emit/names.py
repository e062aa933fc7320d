"""Identifiers for emitted Python: from spec names, never a keyword or a builtin, each used once."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

_UNUSABLE = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins)})


def camel(name: str) -> str:
    """`tiny_resnet` -> `TinyResnet`, as classes are called."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    text = "".join(word[0].upper() + word[1:] for word in words)
    return text if text[:1].isalpha() else f"Net{text}"


def snake(name: str) -> str:
    """`Tiny-ResNet` -> `tiny_resnet`, as functions and files are called."""
    text = "_".join(word.lower() for word in re.split(r"[^A-Za-z0-9]+", name) if word)
    return text if text[:1].isalpha() else f"net_{text}".rstrip("_")


class Names:
    """Hands out identifiers of one namespace, each once."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.taken = set(reserved)

    def fresh(self, wanted: str) -> str:
        """`wanted`, or `wanted2`, `wanted3`... where it is taken or means something to Python."""
        name, number = wanted, 1
        while name in self.taken or name in _UNUSABLE:
            number += 1
            name = f"{wanted}{number}"
        self.taken.add(name)
        return name
