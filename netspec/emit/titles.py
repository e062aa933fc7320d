"""What to call a definition: by its block, and a richer variant of the block by what it alone contains."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netspec.emit.outline import Item, Leaf, Part


class Titles:
    """Names for the parts of one network, still to be made unique and to be spelt as classes or functions."""

    def __init__(self, root: Part, network: str) -> None:
        self._network = network
        self._forms: dict[str, set[frozenset[str]]] = {}
        waiting = [root]
        while waiting:
            part = waiting.pop()
            if part.block is not None:
                self._forms.setdefault(part.block, set()).add(_form(part))
            waiting += [item for item in part.items if isinstance(item, Part)]

    def of(self, parts: Sequence[Part]) -> str:
        """What one definition of these parts is called.

        `basic` for the plainest form of a block, `basic_downsample` for one with something labelled besides,
        `basic_block` where the network is called `basic`.
        Groups are called by the last word of their path, if any, without its number where that differs.
        """
        part = parts[0]
        if part.block is None:
            if not part.path:
                return self._network
            word, *others = {_last_word(each.path): None for each in parts}
            return word.rstrip("0123456789") if others else word
        own = {*map(_form, parts)}
        shared = frozenset.intersection(*own)
        forms = self._forms[part.block] - own
        plainest = min({*forms, shared}, key=lambda form: (len(form), sorted(form)))
        common = plainest.union(*(form for form in forms if not form > shared))
        telling = (_word(item) for item in part.items if item.local in shared - common)
        found = [word for word in telling if word][:1]
        if not found and part.block == self._network:
            found = ["block"]
        return "_".join([part.block, *found])


def _last_word(path: str) -> str:
    return next((word for word in reversed(path.split(".")) if not word.isdigit()), "group")


def _form(part: Part) -> frozenset[str]:
    return frozenset(item.local for item in part.items)


def _word(item: Item) -> str:
    """A label, or for a sum its purpose; a layer that was only numbered tells nothing."""
    kind = item.node.op.kind if isinstance(item, Leaf) else item.block
    if kind is None or not re.fullmatch(rf"{kind}[0-9]+", item.local):
        word = item.local.split(".")[0]
        return "" if word.isdigit() else word
    return "residual" if kind == "add" else ""
