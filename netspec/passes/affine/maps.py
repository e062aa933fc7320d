"""Affine maps of a tensor's elements: arithmetic, and the ops that are such maps. Knows nothing of graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from netspec.backend import need
from netspec.ops.affine import Affine, Normalize, Rescale, Scale, Shift
from netspec.ops.base import Op
from netspec.ops.fields import place_of
from netspec.ops.math import Negative, Plus, Times
from netspec.ops.norm.batch import BatchNorm
from netspec.shape import Shape

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array, Weights
else:
    np = need("numpy", "weights")

MAPS = (BatchNorm, Normalize, Rescale, Affine, Scale, Shift, Times, Plus, Negative)
"""The ops that are affine maps at inference."""


class Blocked(Exception):
    """Why a map cannot be where it should go, as the end of a sentence about a node: `pads with zeros`."""


class Map(NamedTuple):
    """`scale * x + shift` in float64. Both have an axis for each of the tensor, of size 1 where they are alike on it.

    Where the weights are not `known`, numbers stand in for them that are nothing special: neither 0
    nor 1, no two alike. Only their signs must not be asked for.
    """

    scale: Array
    shift: Array
    known: bool = True

    @classmethod
    def identity(cls, rank: int) -> Map:
        """The map that changes nothing."""
        return cls(np.ones((1,) * rank), np.zeros((1,) * rank))

    @property
    def is_shift(self) -> bool:
        """Whether nothing is multiplied."""
        return bool((self.scale == 1).all())

    @property
    def is_scale(self) -> bool:
        """Whether nothing is added."""
        return not self.shift.any()

    @property
    def is_identity(self) -> bool:
        """Whether nothing changes."""
        return self.is_scale and self.is_shift

    @property
    def is_increasing(self) -> bool:
        """Whether every scale is positive."""
        return self.known and bool((self.scale > 0).all())

    def after(self, first: Map) -> Map:
        """What `first` and then this map do."""
        shift = self.scale * first.shift + self.shift
        return Map(self.scale * first.scale, shift, self.known and first.known)

    def scaling(self) -> Map:
        """The map's scale alone."""
        return self._replace(shift=np.zeros((1,) * self.shift.ndim))

    def equals(self, other: Map) -> bool:
        """Whether both are the same map, of tensors of one shape."""
        pairs = ((self.scale, other.scale), (self.shift, other.shift))
        return all(bool((a == b).all()) for a, b in pairs)

    def moved(self, function: Callable[[Array], Array]) -> Map:
        """The map of a tensor whose elements the function moves; they are given those of scale and shift."""
        return self._replace(scale=function(self.scale), shift=function(self.shift))

    def extent(self, axis: int) -> int:
        """The size along an axis that the map depends on; 1 where it does not."""
        return int(max(self.scale.shape[axis], self.shift.shape[axis]))

    def compact(self) -> Map:
        """The same map, of size 1 along every axis on which it does not depend."""
        return self.moved(_compact)

    def per_channel(self, x: Shape) -> tuple[Array, Array]:
        """Scale and shift of each channel of such a tensor. Raises `Blocked` where a channel has several."""
        if "c" not in x.axes:
            raise Blocked("has no channels")
        place = place_of(x, "c")
        if any(self.extent(axis) > 1 for axis in range(len(x.sizes)) if axis != place):
            raise Blocked("has one scale for each channel, and the map has one for each position")
        channels = x.sizes[place]
        scale, shift = (np.broadcast_to(v.reshape(-1), channels) for v in (self.scale, self.shift))
        return scale, shift


def _compact(values: Array) -> Array:
    for axis, size in enumerate(values.shape):
        first = values.take([0], axis)
        if size > 1 and (values == first).all():
            values = first
    return values


def read_map(op: Op, x: Shape, weights: Weights | None, stem: str) -> Map:
    """The map that an op of `MAPS` is for such a tensor. Raises `Blocked` where its numbers make none."""
    with np.errstate(all="ignore"):  # what is not finite is found below
        scale, shift = _numbers(op, x, weights, stem)
    if not (_finite(scale) and _finite(shift)):
        raise Blocked("has a scale or a shift that is not finite")
    known = weights is not None or not op.weights(x)
    return Map(_spread(scale, x), _spread(shift, x), known)


def _numbers(op: Op, x: Shape, weights: Weights | None, stem: str) -> tuple[Any, Any]:
    """Scale and shift: one number each, or one for each channel."""

    def weight(name: str = "") -> Array:
        path = f"{stem}.{name}" if name else stem
        if weights is None:
            return _stand_in(path, x)
        return weights[path].astype(np.float64).reshape(-1)

    match op:
        case BatchNorm():
            if weights is None:
                return weight("running_var"), weight("running_mean")
            scale, shift = (weight("weight"), weight("bias")) if op.affine else (1.0, 0.0)
            rate = _inverse_deviation(op, weights, stem)
            return scale * rate, shift - weight("running_mean") * scale * rate
        case Affine():
            return weight("weight"), weight("bias")
        case Scale():
            return weight(), 0.0
        case Shift():
            return 1.0, weight()
        case Normalize():
            mean, std = (np.array(each, np.float32).astype(float) for each in (op.mean, op.std))
            return 1 / std, -mean / std
        case Rescale():
            return op.factor, op.offset
        case Times():
            return op.k, 0.0
        case Plus():
            return 1.0, op.k
        case _:
            assert isinstance(op, Negative)
            return -1.0, 0.0


def _stand_in(path: str, x: Shape) -> Array:
    """Numbers for weights that nobody knows: the same for one path, and nothing special."""
    return np.random.default_rng(crc32(path.encode())).normal(size=x.axis("c"))


def _inverse_deviation(op: BatchNorm, weights: Weights, stem: str) -> Array:
    variance = weights[f"{stem}.running_var"].astype(np.float64)
    if not _finite(variance):
        raise Blocked("has a variance that is not finite")
    if (variance < 0).any():
        raise Blocked("has a negative variance")
    return 1 / np.sqrt(variance + op.eps)


def _spread(values: Any, x: Shape) -> Array:
    """One number, or one for each channel, with all axes of the tensor."""
    found = np.asarray(values, np.float64)
    sizes = [1] * len(x.sizes)
    if found.size > 1:
        sizes[place_of(x, "c")] = found.size
    return found.reshape(sizes)


def _finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())
