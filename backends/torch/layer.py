"""What a row of the torch table returns: a module to construct, and how `forward` uses it."""

from __future__ import annotations

from typing import NamedTuple

from netspec.emit.constants import Class
from netspec.emit.source import Call, Code, Expr, Infix, Items, Subscript, arg, fill, flat

MODULE = Code("<module>")
"""Stands for `self.<name>` in a `forward` template, where `arg` stands for the node's inputs."""

WEIGHT = Code(f"{MODULE}.weight")
"""Stands for the module's tensor of that name."""
X = arg(0)
APPLIED = Call(MODULE, {"0": X})
"""The usual template: `self.<name>(x)`."""


class ModuleClass(Class):
    """A class of modules that are made without arguments, such as `nn.ReLU`."""

    annotation = "type[nn.Module]"


class Layer(NamedTuple):
    """How PyTorch realises one node.

    `module` is constructed in `__init__` and applied in `forward`; `forward` is the template of the
    expression where it is more than `module(x)`. `sequential` stands in for a layer without a module
    of its own where it is an element of `nn.Sequential`. One `shared` module serves a whole class.
    `heavy` layers begin a new statement. `fixed` parameters of the module are zero and not the spec's.
    `initials` are statements that follow the construction, with the module's place in them, unless the construction
    itself `starts` the weights as the spec asks. `bare` is the template where a value without its batch axis
    will do. An `inline` value is written where it is read. A module may work `in_place` on the result of a
    layer that `gives_up` its own: what is no view, and what the layer's backward pass does not read.
    """

    module: Call | None = None
    forward: Expr = APPLIED
    sequential: Call | None = None
    shared: bool = False
    heavy: bool = False
    fixed: tuple[str, ...] = ()
    initials: tuple[Call, ...] = ()
    starts: bool = False
    bare: Expr = None
    inline: bool = False
    in_place: bool = False
    gives_up: bool = False

    @property
    def element(self) -> Call | None:
        """The call that makes this layer an element of `nn.Sequential`, or None."""
        if self.initials:
            return None
        if self.sequential is not None:
            return self.sequential
        return self.module if self.forward == APPLIED else None


def is_tensor(made: Expr) -> bool:
    """Whether what is constructed is a tensor of the module's own, and no module."""
    return isinstance(made, Call) and made.func in ("nn.Parameter", "nn.Buffer")


def describe(layer: Layer, inputs: int) -> str:
    """The module, and the expression of `forward` where that is more than its application."""
    names: list[Expr] = [Code("x") if inputs == 1 else Code(f"x{i + 1}") for i in range(inputs)]
    expression = flat(applied(layer.forward, Code("layer"), names))
    if layer.module is None:
        return expression
    made = flat(layer.module)
    return made if layer.forward == APPLIED else f"layer = {made}; {expression}"


def depth(expr: Expr) -> int:
    """How many calls stand within each other."""
    match expr:
        case Call():
            inner = [*expr.positional.values(), *expr.keywords.values(), expr.on]
            return 1 + max(map(depth, inner))
        case Infix():
            return max(map(depth, expr.operands))
        case Items():
            return max(map(depth, expr.elements))
        case Subscript():
            return depth(expr.value)
        case _:
            return 0


def function(func: str, *args: Expr, sequential: Call | None = None, **keywords: Expr) -> Layer:
    """A layer that is a call without state."""
    return Layer(
        forward=Call(func, {str(i): a for i, a in enumerate(args)}, keywords), sequential=sequential
    )


def method(func: str, *args: Expr, sequential: Call | None = None, **keywords: Expr) -> Layer:
    """A layer that is a method of its input tensor."""
    positional = {str(i): each for i, each in enumerate(args)}
    return Layer(forward=Call(func, positional, keywords, on=X), sequential=sequential)


def applied(template: Expr, module: Expr, inputs: list[Expr]) -> Expr:
    """The template with the node's module and inputs in their places."""
    places = {MODULE: module, WEIGHT: Code(f"{flat(module)}.weight")}
    return fill(template, {**places, **{arg(i): value for i, value in enumerate(inputs)}})
