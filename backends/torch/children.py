"""The statements of an `__init__` that give a module its children. Knows no op."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from netspec.backends.torch.layer import is_tensor
from netspec.backends.torch.sequential import statements
from netspec.emit.source import INDENT, Call, Code, Expr, Items, Option, Pair, call, flat, layout


def attribute_of(name: str) -> str:
    """How a module's child is reached, which may be called by a number, or have a `-` in its name."""
    return f"self.{name}" if is_attribute(name) else f'getattr(self, "{name}")'


def is_attribute(name: str) -> bool:
    """Whether a child's name can stand behind a dot."""
    return not (name[0].isdigit() or "-" in name)


def bound(attribute: str, name: str, made: Expr, variable: str) -> list[str]:
    """The lines that make a child of a module, which may be optional or have elements that are.

    `variable` is free for a list of those.
    """
    if isinstance(made, Call) and made.func == "nn.Sequential" and is_attribute(name):
        return statements(made, variable, before=f"{attribute} = ")
    if not isinstance(made, Option) or made.is_choice:
        return _added(attribute, name, made)
    choice = replace(made, otherwise=Call("nn.Identity"))
    together = _added(attribute, name, choice)
    if len(together) == 1:
        return together
    return [
        *_added(attribute, name, choice.otherwise, "nn.Module"),
        f"{INDENT * 2}if {flat(made.condition)}:",
        *_added(attribute, name, made.element, indent=3),
    ]


def _added(attribute: str, name: str, made: Expr, kind: str = "", indent: int = 2) -> list[str]:
    if not is_attribute(name) and not is_tensor(made):
        return layout(call("self.add_module", name, made), indent=indent)
    return assigned(f"{attribute}: {kind}" if kind else attribute, made, indent)


def assigned(attribute: str, made: Expr, indent: int = 2) -> list[str]:
    """The lines that set an attribute, which may be called by what is no name in Python."""
    if found := re.fullmatch(r'getattr\((.+), ("[^"]+")\)', attribute):
        return layout(call("setattr", Code(found[1]), Code(found[2]), made), indent=indent)
    return layout(made, before=f"{attribute} = ", indent=indent)


def module_dict(tree: Mapping[str, object]) -> Call:
    """`nn.ModuleDict` of pairs, since its keys may be numbers."""
    pairs: list[Expr] = []
    for key, value in tree.items():
        inner: Expr = module_dict(value) if isinstance(value, dict) else value  # type: ignore[assignment]
        pairs.append(Pair(key, inner))
    return Call("nn.ModuleDict", {"modules": Items(tuple(pairs))})
