"""Initial values that a spec asks for, as calls of `torch.nn.init`. Knows no op."""

from __future__ import annotations

from collections.abc import Iterable

from netspec.backends.torch.layer import MODULE
from netspec.emit.source import Call, Code, Expr, call
from netspec.ops.base import Weight
from netspec.ops.initial import Init


def initials(weights: Iterable[Weight]) -> tuple[Call, ...]:
    """A statement for each weight of a module whose start was chosen."""
    return tuple(
        initial(weight.init, Code(f"{MODULE}.{weight.name}")) for weight in weights if weight.chosen
    )


def placed(initial: Call, module: str) -> Call:
    """One of these statements for the module of that expression."""
    tensor = initial.positional["tensor"]
    assert isinstance(tensor, Code)
    own = Code(f"{module}{tensor.removeprefix(MODULE)}")
    return Call(
        initial.func, {**initial.positional, "tensor": own}, initial.keywords, initial.defaults
    )


def initial(init: Init, tensor: Expr) -> Call:
    """Fills a tensor, and gives it back."""
    positional: dict[str, Expr] = {"tensor": tensor}
    keywords: dict[str, Expr] = {}
    name, value = init.rule, init.value
    match init.rule:
        case "constant" if value in (0, 1):
            return Call("nn.init.ones_" if value else "nn.init.zeros_", positional)
        case "constant":
            positional["val"] = value
        case "uniform":
            positional |= {"a": -value, "b": value}
        case "normal":
            keywords = {"std": value}
        case "trunc_normal":
            keywords = {"std": value, "a": -2 * value, "b": 2 * value}
        case "kaiming_uniform" | "kaiming_normal":
            keywords = {"mode": init.mode}
        case "lecun_normal":
            return Call("nn.init.kaiming_normal_", positional, {"nonlinearity": "linear"})
        case _:
            keywords = {"gain": value}
    return Call(f"nn.init.{name}_", positional, keywords, {"mode": "fan_in", "gain": 1.0})


def started(init: Init, shape: tuple[int, ...]) -> Expr:
    """A tensor of that shape that starts so."""
    sizes: dict[str, Expr] = {str(i): size for i, size in enumerate(shape)}
    if init.rule == "constant":
        if init.value in (0, 1):
            return Call("torch.ones" if init.value else "torch.zeros", sizes)
        return call("torch.full", shape, init.value)
    return initial(init, Call("torch.empty", sizes))
