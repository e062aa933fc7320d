"""Initial values that a spec asks for, as Keras's initializers. Knows no op."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from netspec.emit.source import Call, Expr
from netspec.ops.base import Weight
from netspec.ops.initial import Init

_ARGUMENTS = MappingProxyType({"weight": "kernel_initializer", "bias": "bias_initializer"})
DEFAULTS = {"kernel_initializer": "glorot_uniform", "bias_initializer": "zeros"}
"""Of convolutions and dense layers."""


def initials(
    weights: Iterable[Weight],
    *,
    own_fans: bool = False,
    arguments: Mapping[str, str] = _ARGUMENTS,
) -> dict[str, Expr]:
    """The keywords of a layer for those of its weights whose start was chosen.

    With `own_fans` Keras's fans of the weight are others than the spec's.
    """
    return {
        arguments[weight.name]: initial(
            weight.init.settled(weight.shape) if own_fans else weight.init
        )
        for weight in weights
        if weight.chosen
    }


def initial(init: Init) -> Expr:
    """An initializer of the same distribution; a word where Keras has one for it."""
    value = init.value
    match init.rule:
        case "constant" if value in (0, 1):
            return "ones" if value else "zeros"
        case "constant":
            return Call("initializers.Constant", {"value": value})
        case "uniform":
            return Call("initializers.RandomUniform", {"minval": -value, "maxval": value})
        case "normal":
            return Call("initializers.RandomNormal", {}, {"stddev": value})
        case "trunc_normal":
            return Call("initializers.TruncatedNormal", {}, {"stddev": value})
        case "orthogonal":
            return Call("initializers.Orthogonal", {}, {"gain": value}, {"gain": 1.0})
        case "xavier_uniform" if value == 1:
            return "glorot_uniform"
        case "xavier_uniform" | "xavier_normal":
            scale, mode = value**2, "fan_avg"
        case "lecun_normal":
            scale, mode = 1.0, "fan_in"
        case "kaiming_uniform" if init.mode == "fan_in":
            return "he_uniform"
        case _:
            scale, mode = 2.0, init.mode
    distribution = "uniform" if init.rule.endswith("uniform") else "untruncated_normal"
    return Call(
        "initializers.VarianceScaling",
        {"scale": scale, "mode": mode, "distribution": distribution},
    )


def split_limit(init: Init | None) -> str | None:
    """Why a weight that Keras holds in pieces, or by other axes, cannot start so, or None."""
    if init is not None and init.rule == "orthogonal":
        return "Keras holds this weight in another form, of which no initializer is `orthogonal`"
    return None
