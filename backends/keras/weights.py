"""Canonical weights into a live model and out of it: layers are called as nodes, rows say what holds what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.backends.keras.layer import Held, Layer, layer_name
from netspec.backends.keras.rows import ROWS
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph
from netspec.ops import Weight
from netspec.weights import Array, Weights, check_weights, np

if TYPE_CHECKING:
    import keras


class Piece(NamedTuple):
    """A canonical tensor, or some of its rows, in a variable. `split` and `order` are as in `Held`, and known."""

    variable: Any
    split: tuple[int, ...]
    order: tuple[int, ...]
    rows: tuple[int, ...] | None
    at: int | None

    @classmethod
    def of(cls, held: Held, variable: Any, weight: Weight) -> Piece:
        """The piece that a row declared, with what it left to the rule."""
        shape = weight.shape if held.rows is None else (len(held.rows), *weight.shape[1:])
        split = shape if held.split is None else held.split
        window = tuple(range(2, len(split)))
        usual = (*window, 1, 0) if len(split) > 1 else (0,)
        order = usual if held.order is None else held.order
        return cls(variable, split, order, held.rows, held.at)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what the variable holds of it."""
        return tuple(self.split[axis] for axis in self.order)

    @property
    def fits(self) -> bool:
        """Whether the variable is there, with room for it."""
        if self.variable is None:
            return False
        shape = tuple(self.variable.shape)
        if self.at is None:
            return shape == self.shape
        return shape[1:] == self.shape and self.at < shape[0]

    def put(self, array: Array) -> None:
        """Assign its part of a canonical tensor."""
        part = array if self.rows is None else array[list(self.rows)]
        part = part.reshape(self.split).transpose(self.order)
        if self.at is not None:
            whole = _array(self.variable).copy()
            whole[self.at] = part
            part = whole
        self.variable.assign(part)

    def take(self, value: Any, into: Array) -> None:
        """Copy its part of a variable's value, or of its gradient, to a canonical tensor."""
        array = _array(value) if self.at is None else _array(value)[self.at]
        array = array.transpose(np.argsort(self.order))
        rows = slice(None) if self.rows is None else list(self.rows)
        into[rows] = array.reshape(into[rows].shape)


def _array(value: Any) -> Array:
    from keras import ops

    array: Array = ops.convert_to_numpy(value)
    return array


class Slot(NamedTuple):
    """A canonical tensor and the variables that hold it."""

    name: str
    weight: Weight
    pieces: tuple[Piece, ...]

    @property
    def variables(self) -> Iterator[Any]:
        """The variables, in order."""
        return (piece.variable for piece in self.pieces)

    def to_canonical(self, value_of: Callable[[Any], Any] = lambda variable: variable) -> Array:
        """What the variables hold, or what `value_of` gives for each, in the canonical layout."""
        values = [value_of(variable) for variable in self.variables]
        canonical: Array = np.empty(self.weight.shape, _array(values[0]).dtype)
        for piece, value in zip(self.pieces, values, strict=True):
            piece.take(value, canonical)
        return canonical


def slots(model: keras.Model, graph: Graph) -> list[Slot]:
    """Every tensor of the graph, in its order. Raises `SpecError` where the model is not the graph's."""
    layers = {layer.name: layer for layer in all_layers(model)}
    found: list[Slot] = []
    mistakes: list[Diagnostic] = []
    for node in graph.nodes:
        if node.shares is not None:
            continue
        owned = graph.weights_of(node)
        row: Layer | None = ROWS[node.op](node.op, *graph.input_shapes(node)) if owned else None
        for name, weight in owned:
            assert row is not None
            pieces = []
            for held in row.held[weight.name]:
                layer = layer_name(f"{node.name}.{held.suffix}" if held.suffix else node.name)
                variable = reduce(_attribute, held.variable.split("."), layers.get(layer))
                piece = Piece.of(held, variable, weight)
                pieces.append(piece)
                if not piece.fits:
                    wanted = f"`{held.variable}` of shape {piece.shape} in a layer `{layer}`"
                    message = f"the Keras model has no {wanted}"
                    mistakes.append(Diagnostic("unlike-model", message))
            found.append(Slot(name, weight, tuple(pieces)))
    if mistakes:
        raise SpecError(*mistakes)
    return found


def all_layers(model: keras.Model) -> Iterator[Any]:
    """The layers of a model, and of the models that are layers of it."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def _attribute(of: Any, name: str) -> Any:
    """An attribute, or None where there is none."""
    return getattr(of, name, None)


def load_into(model: keras.Model, graph: Graph, weights: Weights) -> None:
    """Give the model every tensor, in its own precision. Raises `SpecError` where they do not fit."""
    check_weights(graph, weights)
    for slot in slots(model, graph):
        for piece in slot.pieces:
            piece.put(weights[slot.name])


def read_from(model: keras.Model, graph: Graph) -> dict[str, Array]:
    """The model's tensors under their canonical names, in canonical layouts."""
    return {slot.name: slot.to_canonical() for slot in slots(model, graph)}


def reordered(array: Array, before: str, after: str) -> Array:
    """The array, which has a batch axis in front, with its axes in another order."""
    order = (0, *(1 + before.index(letter) for letter in after))
    return np.ascontiguousarray(array.transpose(order))
