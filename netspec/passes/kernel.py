"""A linear layer in numbers: one form for the kernels of all of them. Knows nothing of graphs."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from netspec.backend import need
from netspec.ops.bilinear import Bilinear
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.embedding import Embed

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")

Linear: TypeAlias = Conv | ConvTranspose | Dense | Embed | Bilinear
"""The layers whose weights are a kernel: linear in it, and (but for the embedding) in what they read."""

LINEAR = (Conv, ConvTranspose, Dense, Embed, Bilinear)


class Kernel(NamedTuple):
    """What a layer multiplies by and what it adds, whatever its own layout is.

    `weight` is `(groups, outputs / groups, inputs / groups, *rest)`: behind the channels stands the
    window of a convolution, or the second branch of a bilinear form. The inputs of an embedding are
    its tokens. `bias` is `(outputs)`, and None where the layer adds nothing.
    """

    weight: Array
    bias: Array | None

    @property
    def outputs(self) -> int:
        """How many channels the layer gives."""
        return int(self.weight.shape[0] * self.weight.shape[1])

    @property
    def inputs(self) -> int:
        """How many channels the layer takes."""
        return int(self.weight.shape[0] * self.weight.shape[2])

    def plus(self, shift: Array) -> Kernel:
        """The layer that adds more: a number for each output."""
        bias = shift if self.bias is None else self.bias + shift
        return self._replace(bias=bias)

    def with_outputs_scaled(self, scale: Array) -> Kernel:
        """The layer with each output multiplied by its factor."""
        bias = None if self.bias is None else self.bias * scale
        return Kernel(self.weight * self._along(scale, 1), bias)

    def with_inputs_scaled(self, scale: Array) -> Kernel:
        """The layer that multiplies each input by its factor before it does what it did."""
        return self._replace(weight=self.weight * self._along(scale, 2))

    def of_constants(self, values: Array) -> Array:
        """What the layer gives, but for its bias, where every position of each input holds its value: `(outputs)`."""
        groups, _, inputs = self.weight.shape[:3]
        taps = self.weight.reshape(*self.weight.shape[:3], -1).sum(-1, dtype=np.float64)
        found: Array = np.einsum("goi,gi->go", taps, values.reshape(groups, inputs))
        return found.reshape(-1)

    def after(self, first: Kernel) -> Kernel:
        """What `first` and then this layer do; one of the two has a single tap."""
        if self.weight.shape[0] != first.weight.shape[0]:
            return self.ungrouped().after(first.ungrouped())
        groups, outputs, middle, *own = self.weight.shape
        _, _, inputs, *others = first.weight.shape
        last = np.moveaxis(self.weight.astype(np.float64), 2, -1).reshape(groups, -1, middle)
        product = last @ first.weight.astype(np.float64).reshape(groups, middle, -1)
        window = others if prod(own) == 1 else own
        apart = product.reshape(groups, outputs, prod(own), inputs, prod(others))
        whole = apart.swapaxes(2, 3).reshape(groups, outputs, inputs, *window)
        kernel = self._replace(weight=whole)
        return kernel if first.bias is None else kernel.plus(self.of_constants(first.bias))

    def ungrouped(self) -> Kernel:
        """The same layer with one group: what lies between two groups is zero."""
        groups, outputs, inputs, *rest = self.weight.shape
        if groups == 1:
            return self
        whole = np.zeros((groups, outputs, groups, inputs, *rest))
        each = np.arange(groups)
        whole[each, :, each] = self.weight
        return self._replace(
            weight=whole.reshape(1, groups * outputs, groups * inputs, *rest),
        )

    def _along(self, values: Array, axis: int) -> Array:
        """One value for each output (axis 1) or input (axis 2), as the weight spreads it."""
        shape = [1] * self.weight.ndim
        shape[0], shape[axis] = self.weight.shape[0], self.weight.shape[axis]
        return values.reshape(shape)


def read_kernel(op: Linear, weights: Mapping[str, Array], stem: str) -> Kernel:
    """The kernel of a layer whose weights are `stem.weight` and `stem.bias`.

    Its weight is a view, in their dtype; factors in float64 make it float64.
    """
    bias = weights.get(f"{stem}.bias")
    weight = _inward(op, weights[f"{stem}.weight"])
    return Kernel(weight, None if bias is None else bias.astype(np.float64))


def write_kernel(op: Linear, kernel: Kernel, stem: str) -> dict[str, Array]:
    """The weights of the layer under their names; the inverse of `read_kernel`.

    An embedding adds nothing: each vector of its table takes the bias.
    """
    weight, bias = kernel
    if isinstance(op, Embed) and bias is not None:
        weight, bias = weight + bias[:, np.newaxis], None
    found = {f"{stem}.weight": _outward(op, weight)}
    return found if bias is None else {**found, f"{stem}.bias": bias}


def _inward(op: Linear, weight: Array) -> Array:
    groups = op.groups if isinstance(op, Conv | ConvTranspose) else 1
    rows = weight.T if isinstance(op, Embed) else weight
    grouped = rows.reshape(groups, -1, *rows.shape[1:])
    return grouped.swapaxes(1, 2) if isinstance(op, ConvTranspose) else grouped


def _outward(op: Linear, weight: Array) -> Array:
    if isinstance(op, ConvTranspose):
        weight = weight.swapaxes(1, 2)
    rows = weight.reshape(-1, *weight.shape[2:])
    return rows.T if isinstance(op, Embed) else rows
