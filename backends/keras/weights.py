"""Canonical weights into a live model and out of it, by rule: layers are called as nodes, kernels transposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.backends.keras.layer import layer_name
from netspec.backends.keras.ops.conv import is_depthwise
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph, Node
from netspec.ops import Weight
from netspec.ops.conv import Conv
from netspec.ops.norm import BatchNorm
from netspec.weights import Array, Weights, check_weights, np

if TYPE_CHECKING:
    import keras

_USUAL = {"weight": "kernel", "bias": "bias"}
_STATISTICAL = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


class Slot(NamedTuple):
    """Where a canonical tensor lives in a model: its variable, whose axes are those of `split` in another order."""

    name: str
    weight: Weight
    variable: Any
    split: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The variable's shape."""
        return tuple(self.split[axis] for axis in self.order)

    def to_keras(self, array: Array) -> Array:
        """A canonical tensor in Keras's layout."""
        return array.reshape(self.split).transpose(self.order)

    def to_canonical(self, value: Any) -> Array:
        """A variable, or its gradient, in the canonical layout."""
        from keras import ops

        array: Array = ops.convert_to_numpy(value).transpose(np.argsort(self.order))
        return np.ascontiguousarray(array).reshape(self.weight.shape)


def slots(model: keras.Model, graph: Graph) -> list[Slot]:
    """Every tensor of the graph, in its order. Raises `SpecError` where the model is not the graph's."""
    layers = {layer.name: layer for layer in model.layers}
    found: list[Slot] = []
    mistakes: list[Diagnostic] = []
    for node in graph.nodes:
        names = _STATISTICAL if isinstance(node.op, BatchNorm) else _USUAL
        for name, weight in graph.weights_of(node):
            variable = getattr(layers.get(layer_name(node.name)), names[weight.name], None)
            slot = Slot(name, weight, variable, *_layout(graph, node, weight))
            found.append(slot)
            if variable is None or tuple(variable.shape) != slot.shape:
                wanted = f"`{names[weight.name]}` of shape {slot.shape} in a layer `{layer_name(node.name)}`"
                mistakes.append(Diagnostic("unlike-model", f"the Keras model has no {wanted}"))
    if mistakes:
        raise SpecError(*mistakes)
    return found


def load_into(model: keras.Model, graph: Graph, weights: Weights) -> None:
    """Give the model every tensor, in its own precision. Raises `SpecError` where they do not fit."""
    check_weights(graph, weights)
    for slot in slots(model, graph):
        slot.variable.assign(slot.to_keras(weights[slot.name]))


def read_from(model: keras.Model, graph: Graph) -> dict[str, Array]:
    """The model's tensors under their canonical names, in canonical layouts."""
    return {slot.name: slot.to_canonical(slot.variable) for slot in slots(model, graph)}


def _layout(graph: Graph, node: Node, weight: Weight) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Keras has the window first, then the other two axes the other way round.

    Only a depthwise kernel `(c * m, 1, h, w)` is `(h, w, c, m)`.
    """
    window = tuple(range(2, len(weight.shape)))
    if isinstance(node.op, Conv) and window and is_depthwise(node.op, *graph.input_shapes(node)):
        channels = node.op.groups
        return (channels, node.op.filters // channels, *weight.shape[2:]), (*window, 0, 1)
    return weight.shape, (*window, 1, 0) if len(weight.shape) > 1 else (0,)
