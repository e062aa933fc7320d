"""What nodes and scopes of a network may be called, and which names are free. Knows nothing of what they are."""

from __future__ import annotations

import re
from collections import Counter
from keyword import iskeyword

from netspec.limits import Limits, bound
from netspec.ops import Rejected

_SEGMENT = re.compile(r"[A-Za-z]\w*(?:-\w+)*|0|[1-9][0-9]{0,8}", re.ASCII)


def is_segment(text: str) -> bool:
    """Whether a part of a path, between its dots, may be called so."""
    return _SEGMENT.fullmatch(text) is not None and not iskeyword(text)


def check_label(label: str) -> None:
    """Raise `Rejected` where nothing may have this label."""
    for segment in label.split("."):
        if not is_segment(segment):
            raise Rejected(
                "bad-name",
                f"`{label}` cannot name a layer",
                help="a name is letters, digits and `_`, begins with a letter, and is no word of Python's; "
                "behind a `-` it may go on, and parts joined by dots may be numbers",
            )


def around(path: str) -> list[str]:
    """The paths of the scopes around a path, outermost first."""
    return [path[:i] for i, character in enumerate(path) if character == "."]


class Level:
    """One open scope: the paths in it begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.counts: Counter[str] = Counter()


class Paths:
    """The paths that are taken. A path is a node's or a scope's, never both."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken: dict[str, str] = {}
        self._sealed: set[str] = set()

    def __contains__(self, path: str) -> bool:
        return path in self._taken

    def seal(self, path: str) -> None:
        """Let nothing else be named below a path."""
        self._sealed.add(path)

    def claim(self, level: Level, label: str | None, kind: str, what: str) -> str:
        """A free path for a node or a scope, as `what` says: with its label, or else its kind and a number.

        Raises `Rejected` where the label is bad, taken or below what is sealed, and where the path is too long.
        """
        if label is None:
            path = self._numbered(level, kind)
        else:
            path = level.prefix + label
            check_label(label)
        if len(path) > self._limits.path:
            message = f"a step's name would have {len(path):,} characters"
            raise Rejected("over-limit", message, help=bound("path", self._limits))
        clash = self._taken.get(path)
        # What is around the open scope is known to be scopes: a deep path costs no more than another.
        parents = [] if label is None else [level.prefix + each for each in around(label)]
        if (sealed := next((p for p in parents if p in self._sealed), None)) is not None:
            message = f"`{sealed}` is a shared instance, and nothing else is named below it"
            raise Rejected("duplicate-name", message, help="choose another label")
        if clash is not None or any(self._taken.get(parent) == "node" for parent in parents):
            help_ = "choose another; in a loop, `unit{i}` or a label of the loop tells rounds apart"
            raise Rejected("duplicate-name", f"the name `{path}` is already taken", help=help_)
        self._taken[path] = what
        for parent in parents:
            self._taken.setdefault(parent, "scope")
        return path

    def _numbered(self, level: Level, kind: str) -> str:
        """The next free path of a kind; the first input has no number."""
        if kind.startswith("__"):
            # Python keeps such names of a class's own to itself.
            raise Rejected(
                "bad-name", f"`{kind}` cannot name a layer", help="give the call a label"
            )
        if kind == "input" and f"{level.prefix}input" not in self._taken:
            return f"{level.prefix}input"
        while True:
            level.counts[kind] += 1
            path = f"{level.prefix}{kind}{level.counts[kind]}"
            if path not in self._taken:
                return path
