"""Which room declares which op, known before the room is imported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from netspec.diagnostics import did_you_mean
from netspec.ops.base import REGISTRY, Op, Parting, Rejected
from netspec.ops.initial import Mode

PATH = Path(__file__).with_name("index.json")
"""Written by `python -m netspec.ops`."""

_PACKAGE = "netspec.ops"


class _Index(NamedTuple):
    rooms: dict[str, str]
    """The module below `netspec.ops` that declares an op, by the op's names and aliases."""
    own_names: dict[str, str]
    words: frozenset[str]


@cache
def _index() -> _Index:
    content = json.loads(PATH.read_bytes())
    rooms: dict[str, str] = {}
    own_names: dict[str, str] = {}
    for room, ops in content["rooms"].items():
        for kind, aliases in ops.items():
            for name in (kind, *aliases):
                rooms[name], own_names[name] = room, kind
    return _Index(rooms, own_names, frozenset(content["words"]))


def find(name: str) -> type[Op] | None:
    """The op of that name or alias; the room that declares it is imported if it was not."""
    if name not in REGISTRY and (room := _index().rooms.get(name)) is not None:
        import_module(f"{_PACKAGE}.{room}")
    return REGISTRY.get(name)


def family_of(op: type[Op]) -> str | None:
    """The family of an op of the language: the first module below this package. None for an op from elsewhere."""
    above, _, room = op.__module__.partition(f"{_PACKAGE}.")
    return room.partition(".")[0] if room and not above else None


def own_name(name: str) -> str | None:
    """The kind of the op of that name or alias, for which nothing is imported."""
    op = REGISTRY.get(name)
    return _index().own_names.get(name) if op is None else op.kind


def names() -> tuple[str, ...]:
    """Every name and alias."""
    return tuple(dict.fromkeys((*_index().rooms, *REGISTRY)))


def words() -> frozenset[str]:
    """The words that an argument takes, of some op or of an initializer: `half`, `int`, `fan_out`."""
    return _index().words


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
    for room in dict.fromkeys(_index().rooms.values()):
        import_module(f"{_PACKAGE}.{room}")
    return sorted(set(REGISTRY.values()), key=lambda op: op.kind)


def content() -> str:
    """The index as it must be: every module below this package is imported for it."""
    import pkgutil  # slow to import, and of no use to who reads the index

    prefix = f"{_PACKAGE}."
    for module in pkgutil.walk_packages([str(PATH.parent)], prefix):
        if not module.name.endswith(".__main__"):
            import_module(module.name)
    rooms: dict[str, dict[str, list[str]]] = {}
    for op in sorted(set(REGISTRY.values()), key=lambda op: (op.__module__, op.kind)):
        rooms.setdefault(op.__module__.removeprefix(prefix), {})[op.kind] = list(op.aliases)
    found = {
        "rooms": rooms,
        "words": sorted({*get_args(Mode), *words_of(*REGISTRY.values())}),
    }
    return json.dumps(found, indent=1) + "\n"


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
