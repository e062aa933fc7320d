"""The order in which parts get their definitions: what stands within a part comes before it."""

from __future__ import annotations

from collections.abc import Collection

from netspec.emit.outline import Part


def by_height(root: Part, nested: Collection[str]) -> list[list[Part]]:
    """All parts, those without inner parts first, and the instances of a block together unless it contains itself.

    Of those that do, the instances at these paths, which are `nested` in a simple way, are together too.
    A later use of a shared part is no part of its own.
    """
    inner: dict[str, list[Part]] = {}
    parts: list[Part] = []
    within: dict[str, set[str]] = {}

    def visit(part: Part, blocks: tuple[str, ...]) -> None:
        own = blocks if part.block is None else (*blocks, part.block)
        for outer in blocks if part.block is not None else ():
            within.setdefault(outer, set()).add(own[-1])
        inner[part.path] = [i for i in part.items if isinstance(i, Part) and i.owner is None]
        for each in inner[part.path]:
            visit(each, own)
        parts.append(part)

    def family(part: Part) -> str | tuple[str]:
        """The block, or else the part alone."""
        block = part.block
        if block is not None and part.path in nested:
            return block
        if block is None or any(
            block in within.get(each, ()) for each in {block, *within.get(block, ())}
        ):
            return (part.path,)
        return block

    visit(root, ())
    families: dict[str | tuple[str], list[Part]] = {}
    for part in parts:
        families.setdefault(family(part), []).append(part)
    heights: dict[str | tuple[str], int] = {}

    def height(of: str | tuple[str]) -> int:
        if of not in heights:
            below = {family(each) for part in families[of] for each in inner[part.path]}
            heights[of] = 1 + max(map(height, below - {of}), default=-1)
        return heights[of]

    levels: dict[int, list[Part]] = {}
    for part in parts:
        levels.setdefault(height(family(part)), []).append(part)
    return [levels[number] for number in sorted(levels)]
