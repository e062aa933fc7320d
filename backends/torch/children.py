"""The statements of an `__init__` that give a module its children. Knows no op."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from netspec.backends.torch.layer import is_tensor
from netspec.backends.torch.sequential import statements
from netspec.emit.outline import Part
from netspec.emit.sketch import Sketch
from netspec.emit.source import INDENT, Call, Code, Expr, Items, Option, Pair, call, flat, layout


def is_attribute(name: str) -> bool:
    """Whether a child's name can stand behind a dot: it is no number, and has no `-`."""
    return not (name[0].isdigit() or "-" in name)


def has_keys(part: Part, sketches: Mapping[str, Sketch]) -> bool:
    """Whether some modules of a part have names that are no attributes, so that its class is an `nn.ModuleDict`."""
    return any(
        not is_attribute(item.local) and ("." in item.local or not is_tensor(calls[0]))
        for item in part.items
        if (calls := sketches[item.local].calls)
    )


def module_at(keys: Sequence[str]) -> str:
    """How a class reaches a module by the parts of its name: in itself, or in nested dictionaries."""
    head, *rest = keys
    owner = f"self.{head}" if is_attribute(head) else f'self["{head}"]'
    return owner + "".join(f'["{key}"]' for key in rest)


def tensor_at(keys: Sequence[str]) -> str:
    """How a class reaches a tensor, which dictionaries of modules have as an attribute."""
    *above, name = keys
    owner = module_at(above) if above else "self"
    return f"{owner}.{name}" if is_attribute(name) else f'getattr({owner}, "{name}")'


def bound(attribute: str, made: Expr, variable: str) -> list[str]:
    """The lines that make a child of a module, which may be optional or have elements that are.

    `variable` is free for a list of those.
    """
    if isinstance(made, Call) and made.func == "nn.Sequential":
        return statements(made, variable, before=f"{attribute} = ")
    if not isinstance(made, Option) or made.is_choice:
        return assigned(attribute, made)
    choice = replace(made, otherwise=Call("nn.Identity"))
    together = assigned(attribute, choice)
    if len(together) == 1:
        return together
    kind = "" if attribute.endswith("]") else ": nn.Module"
    return [
        *assigned(f"{attribute}{kind}", choice.otherwise),
        f"{INDENT * 2}if {flat(made.condition)}:",
        *assigned(attribute, made.element, indent=3),
    ]


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
