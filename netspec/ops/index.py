"""Which family declares which op, known before the family is imported."""

from __future__ import annotations

import json
import pkgutil
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


class _Index(NamedTuple):
    families: dict[str, str]
    """The module that declares an op, by the op's names and aliases."""
    own_names: dict[str, str]
    words: frozenset[str]


@cache
def _index() -> _Index:
    content = json.loads(PATH.read_bytes())
    families: dict[str, str] = {}
    own_names: dict[str, str] = {}
    for family, ops in content["families"].items():
        for kind, aliases in ops.items():
            for name in (kind, *aliases):
                families[name], own_names[name] = family, kind
    return _Index(families, own_names, frozenset(content["words"]))


def find(name: str) -> type[Op] | None:
    """The op of that name or alias; its family is imported if it was not."""
    if name not in REGISTRY and (family := _index().families.get(name)) is not None:
        import_module(f"netspec.ops.{family}")
    return REGISTRY.get(name)


def own_name(name: str) -> str | None:
    """The kind of the op of that name or alias, for which nothing is imported."""
    op = REGISTRY.get(name)
    return _index().own_names.get(name) if op is None else op.kind


def names() -> tuple[str, ...]:
    """Every name and alias."""
    return tuple(dict.fromkeys((*_index().families, *REGISTRY)))


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
    for family in dict.fromkeys(_index().families.values()):
        import_module(f"netspec.ops.{family}")
    return sorted(set(REGISTRY.values()), key=lambda op: op.kind)


def content() -> str:
    """The index as it must be: every module of this package is imported for it."""
    for module in pkgutil.iter_modules([str(PATH.parent)]):
        if module.name != "__main__":
            import_module(f"netspec.ops.{module.name}")
    families: dict[str, dict[str, list[str]]] = {}
    for op in sorted(set(REGISTRY.values()), key=lambda op: (op.__module__, op.kind)):
        family = op.__module__.rpartition(".")[2]
        families.setdefault(family, {})[op.kind] = list(op.aliases)
    found = {
        "families": families,
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
