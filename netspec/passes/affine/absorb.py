"""How an op takes an affine map into its weights, from behind or from in front. Knows nothing of graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from netspec.backend import need
from netspec.ops.affine import Affine, Normalize, Scale, Shift
from netspec.ops.base import Op
from netspec.ops.bilinear import Bilinear
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.embedding import Embed
from netspec.ops.norm.batch import BatchNorm
from netspec.ops.norm.per_example import GroupNorm, InstanceNorm, LayerNorm, RmsNorm
from netspec.ops.param import Param
from netspec.passes.affine.maps import Blocked, Map, read_map
from netspec.passes.kernel import LINEAR, Linear, read_kernel, write_kernel
from netspec.shape import Shape

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array, Weights
else:
    np = need("numpy", "weights")

_LARGEST = 3.4e38
"""Beyond it numbers have no float32."""
_Norm: TypeAlias = BatchNorm | LayerNorm | GroupNorm | InstanceNorm | RmsNorm

_NORMS = (BatchNorm, LayerNorm, GroupNorm, InstanceNorm, RmsNorm)
_LEARNED = (Normalize, Affine, Scale, Shift)
_BEHIND = (*LINEAR, *_NORMS, *_LEARNED, Param)
_IN_FRONT = (Conv, ConvTranspose, Dense, Bilinear, BatchNorm, *_LEARNED)


class Layer(NamedTuple):
    """A node's op with the tensors around it, and the stem of its weights' names."""

    op: Op
    inputs: tuple[Shape, ...]
    output: Shape
    stem: str


class Absorbed(NamedTuple):
    """The op that a layer becomes, and all its weights; none where they are not known."""

    op: Op
    weights: Mapping[str, Array]


def takes_from_behind(op: Op) -> bool:
    """Whether an op has weights that can take a map of its output."""
    return isinstance(op, _BEHIND)


def takes_in_front(op: Op) -> bool:
    """Whether an op has weights that can take a map of its input."""
    return isinstance(op, _IN_FRONT)


def behind(layer: Layer, change: Map, weights: Weights | None) -> Absorbed:
    """The layer that gives what `change` makes of its output. Raises `Blocked`."""
    op = layer.op
    if isinstance(op, LINEAR):
        return _linear_behind(op, layer, change, weights)
    if isinstance(op, _NORMS):
        return _norm_behind(op, layer, change, weights)
    if isinstance(op, _LEARNED):
        return cheapest(change.after(read_map(op, layer.output, weights, layer.stem)), layer)
    assert isinstance(op, Param)
    if weights is None:
        return Absorbed(op, {})
    return Absorbed(op, {layer.stem: weights[layer.stem] * change.scale + change.shift})


def in_front(layer: Layer, changes: Sequence[Map | None], weights: Weights | None) -> Absorbed:
    """The layer that gives for its inputs what it gave for the `change` of each. Raises `Blocked`."""
    op = layer.op
    if isinstance(op, Bilinear):
        return _bilinear_in_front(op, layer, changes, weights)
    (change,) = changes
    assert change is not None
    if isinstance(op, BatchNorm):
        return _batch_norm_in_front(op, layer, change, weights)
    if isinstance(op, _LEARNED):
        return cheapest(read_map(op, layer.output, weights, layer.stem).after(change), layer)
    assert isinstance(op, Conv | ConvTranspose | Dense)
    return _linear_in_front(op, layer, change, weights)


def check_finite(absorbed: Absorbed) -> None:
    """Raise `Blocked` where a weight has no float32."""
    for array in absorbed.weights.values():  # comparisons with NaN are false
        if not (array.min() >= -_LARGEST and array.max() <= _LARGEST):
            raise Blocked("would get weights that are not finite")


def cheapest(whole: Map, layer: Layer) -> Absorbed:
    """A map alone: `scale`, `shift` or, where it needs both, `affine`. Raises `Blocked`."""
    op = Scale() if whole.is_scale else Shift() if whole.is_shift else Affine()
    scale, shift = whole.per_channel(layer.output)
    if not whole.known:
        return Absorbed(op, {})
    found = {
        "scale": {layer.stem: scale},
        "shift": {layer.stem: shift},
        "affine": {f"{layer.stem}.weight": scale, f"{layer.stem}.bias": shift},
    }[op.kind]
    shape = op.weights(layer.output)[0].shape
    return Absorbed(op, {name: values.reshape(shape) for name, values in found.items()})


def _linear_behind(op: Linear, layer: Layer, change: Map, weights: Weights | None) -> Absorbed:
    scale, shift = change.per_channel(layer.output)
    changed = op if change.is_scale or isinstance(op, Embed) else _biased(op)
    if weights is None:
        return Absorbed(changed, {})
    kernel = read_kernel(op, weights, layer.stem)
    if not change.is_shift:
        kernel = kernel.with_outputs_scaled(scale)
    if not change.is_scale:
        kernel = kernel.plus(shift)
    return Absorbed(changed, write_kernel(op, kernel, layer.stem))


def _linear_in_front(
    op: Conv | ConvTranspose | Dense, layer: Layer, change: Map, weights: Weights | None
) -> Absorbed:
    scale, shift = change.per_channel(layer.inputs[0])
    if not change.is_scale and (reason := uneven(op)) is not None:
        raise Blocked(reason)
    changed = op if change.is_scale else _biased(op)
    if weights is None:
        return Absorbed(changed, {})
    kernel = read_kernel(op, weights, layer.stem)
    if not change.is_scale:
        kernel = kernel.plus(kernel.of_constants(shift))
    if not change.is_shift:
        kernel = kernel.with_inputs_scaled(scale)
    return Absorbed(changed, write_kernel(op, kernel, layer.stem))


def _biased(op: Op) -> Op:
    return op.model_copy(update={"bias": True})


def uneven(op: Conv | ConvTranspose | Dense) -> str | None:
    """Why an input that is alike everywhere does not give an output that is, or None."""
    if isinstance(op, ConvTranspose):
        plain = {*op.kernel, *op.stride} == {1} and not any((*op.padding, *op.output_padding))
        return None if plain else "sums fewer taps at some positions than at others"
    if isinstance(op, Conv) and op.mode == "zeros":
        padded = set(op.kernel) != {1} if op.padding == "same" else any(op.padding)
        return "pads with zeros" if padded else None
    return None


def _bilinear_in_front(
    op: Bilinear, layer: Layer, changes: Sequence[Map | None], weights: Weights | None
) -> Absorbed:
    factors: list[Array] = []
    for place, (change, x) in enumerate(zip(changes, layer.inputs, strict=True)):
        if change is not None:
            if not change.is_scale:
                raise Blocked("would multiply the shift by its other branch")
            factors.append(np.expand_dims(change.per_channel(x)[0], 1 - place))
    if weights is None:
        return Absorbed(op, {})
    kept = {path: weights[path] for path in (f"{layer.stem}.bias",) if op.bias}
    name = f"{layer.stem}.weight"
    return Absorbed(op, {name: prod(factors, start=weights[name]), **kept})


def _norm_behind(op: _Norm, layer: Layer, change: Map, weights: Weights | None) -> Absorbed:
    """A norm's own scale and shift take the map; one without any gets them."""
    if isinstance(op, RmsNorm) and not change.is_scale:
        raise Blocked("learns no shift")
    update = {"affine": True}
    if isinstance(op, LayerNorm):
        update["bias"] = (op.affine and op.bias) or not change.is_scale
    changed = op.model_copy(update=update)
    if isinstance(op, LayerNorm) and op.over == "all":
        scale, shift = change.scale, change.shift
    else:
        scale, shift = change.per_channel(layer.output)
    if weights is None:
        return Absorbed(changed, {})
    return _norm(changed, layer, weights, lambda gain, bias: (gain * scale, bias * scale + shift))


def _batch_norm_in_front(
    op: BatchNorm, layer: Layer, change: Map, weights: Weights | None
) -> Absorbed:
    """The mean moves to where the map takes it from, so that it keeps its distance from what is normalised."""
    scale, shift = change.per_channel(layer.output)
    changed = op.model_copy(update={"affine": True})
    if weights is None:
        return Absorbed(changed, {})
    own, _ = read_map(op, layer.output, weights, layer.stem).per_channel(layer.output)
    path = f"{layer.stem}.running_mean"
    mean = weights[path].astype(np.float64)
    lost = scale == 0  # channels that the map makes constant
    constant = np.where(lost, (shift - mean) * own, 0)
    found = _norm(changed, layer, weights, lambda gain, bias: (gain * scale, bias + constant))
    moved = np.where(lost, mean, (mean - shift) / np.where(lost, 1, scale))
    return found._replace(weights={**found.weights, path: moved})


def _norm(
    op: _Norm, layer: Layer, weights: Weights, change: Callable[[Array, Array], tuple[Array, Array]]
) -> Absorbed:
    """A norm of another gain and bias, which were 1 and 0 where it had none; its statistics stay."""
    needed = op.weights(*layer.inputs)
    names = {weight.name: f"{layer.stem}.{weight.name}" for weight in needed}
    gain = weights.get(names["weight"], np.ones(needed[0].shape))
    bias = weights.get(f"{layer.stem}.bias", np.zeros(needed[0].shape))
    found = dict(zip(("weight", "bias"), change(gain, bias.astype(np.float64)), strict=True))
    found |= {name: weights[path] for name, path in names.items() if name not in found}
    return Absorbed(op, {path: found[name] for name, path in names.items()})
