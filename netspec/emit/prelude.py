"""Classes and functions that an emitted file brings along, where its framework has none of that meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping


def needed(sources: Mapping[str, str], code: str) -> Iterator[str]:
    """The sources, by name in a fixed order, of what the code uses, or what these use in turn."""
    names: set[str] = set()
    waiting = [code]
    while waiting:
        text = waiting.pop()
        found = [name for name in sources if name not in names and uses(text, name)]
        names.update(found)
        waiting += [sources[name] for name in found]
    return (source.rstrip("\n") for name, source in sources.items() if name in names)


def uses(code: str, name: str) -> bool:
    """Whether the code refers to a name, rather than holding it in a string or a docstring."""
    return re.search(rf"""(?<![\w."`]){name}\b""", code) is not None
