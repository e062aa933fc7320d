"""Which room declares which op, known before the room is imported."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from netspec.diagnostics import did_you_mean
from netspec.ops.base import REGISTRY, Op, Parting, Rejected
from netspec.ops.initial import Mode
from netspec.ops.rooms import ROOMS, WORDS

_PACKAGE = "netspec.ops"


_ROOM_OF = {
    name: (room, kind)
    for room, ops in ROOMS.items()
    for kind, aliases in ops.items()
    for name in (kind, *aliases)
}
"""Names and aliases: the module below `netspec.ops` that declares the op, and the op's own name."""


def find(name: str) -> type[Op] | None:
    """The op of that name or alias; the room that declares it is imported if it was not."""
    if name not in REGISTRY and name in _ROOM_OF:
        import_module(f"{_PACKAGE}.{_ROOM_OF[name][0]}")
    return REGISTRY.get(name)


def family_of(op: type[Op]) -> str | None:
    """The family of an op of the language: the first module below this package. None for an op from elsewhere."""
    above, _, room = op.__module__.partition(f"{_PACKAGE}.")
    return room.partition(".")[0] if room and not above else None


def own_name(name: str) -> str | None:
    """The kind of the op of that name or alias, for which nothing is imported."""
    if name in REGISTRY:
        return REGISTRY[name].kind
    return _ROOM_OF[name][1] if name in _ROOM_OF else None


def names() -> tuple[str, ...]:
    """Every name and alias."""
    return tuple(dict.fromkeys((*_ROOM_OF, *REGISTRY)))


def words() -> frozenset[str]:
    """The words that an argument takes, of some op or of an initializer: `half`, `int`, `fan_out`."""
    return WORDS


def all_ops() -> Iterator[type[Op]]:
    """Every op that a node may have, once, by name."""
    return (op for op in _known() if not issubclass(op, Parting))


def partings() -> Iterator[type[Parting]]:
    """Every op that stands for several nodes, once, by name."""
    return (op for op in _known() if issubclass(op, Parting))


def unknown_op(name: str, *more: str) -> Rejected:
    """The rejection of a name that is neither an op nor one of `more`."""
    return Rejected(
        "unknown-op", f"unknown op `{name}`", help=did_you_mean(name, (*names(), *more))
    )


def _known() -> list[type[Op]]:
    for room in ROOMS:
        import_module(f"{_PACKAGE}.{room}")
    return sorted(set(REGISTRY.values()), key=lambda op: op.kind)


def rooms() -> str:
    """The module `rooms` as it must be: every module below this package is imported for it."""
    import pkgutil  # slow to import, and of no use to who reads the index

    prefix = f"{_PACKAGE}."
    for module in pkgutil.walk_packages([str(Path(__file__).parent)], prefix):
        if not module.name.endswith(".__main__"):
            import_module(module.name)
    found: dict[str, list[type[Op]]] = {}
    for op in sorted(set(REGISTRY.values()), key=lambda op: (op.__module__, op.kind)):
        found.setdefault(op.__module__.removeprefix(prefix), []).append(op)
    lines = [
        '"""Which module declares which ops, with their aliases: written by `python -m netspec.ops`."""',
        "",
    ]
    lines.append("ROOMS: dict[str, dict[str, tuple[str, ...]]] = {")
    for room, ops in found.items():
        lines += [f"{room!r}: {{", *(f"    {op.kind!r}: {op.aliases!r}," for op in ops), "},"]
    words = sorted({*get_args(Mode), *words_of(*REGISTRY.values())})
    lines += ["}", "WORDS = frozenset((", *(f"    {word!r}," for word in words), "))"]
    return "\n".join(lines) + "\n"


def words_of(*ops: type[Op]) -> set[str]:
    """The words that arguments of these ops take."""
    found: set[str] = set()
    waiting: list[Any] = [field.annotation for op in ops for field in op.model_fields.values()]
    while waiting:
        annotation = waiting.pop()
        if get_origin(annotation) is Literal:
            found.update(word for word in get_args(annotation) if isinstance(word, str))
        else:
            waiting.extend(get_args(annotation))
    return found
