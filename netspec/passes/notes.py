"""What passes did, in words: a line for each node of the network. Knows no pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netspec.passes import Note

_STAYS = "stays: "


def told(notes: Iterable[Note]) -> Iterator[str]:
    """What became of each node, or why it stays: `` `bn1` into `conv1` (affine-backward)``."""
    by_node: dict[str, list[Note]] = {}
    for note in notes:
        by_node.setdefault(note.node, []).append(note)
    for node, found in by_node.items():
        done = [f"{note.text} ({note.step})" for note in found if note.changed]
        left = [n._replace(text=n.text.removeprefix(_STAYS)) for n in found if not n.changed]
        why = [f"{note.text} ({note.step})" for note in left]
        stays = [f"{_STAYS}{'; '.join(why)}"] if why else []
        yield f"`{node}` {'; '.join(done + stays)}"
