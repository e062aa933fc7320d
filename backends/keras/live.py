"""Emitted source as a live model, and a session around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from netspec.backend import Step, check_trains, need
from netspec.backends.keras.module import emit_module
from netspec.backends.keras.rows import held_axes
from netspec.backends.keras.running import predictor, pull_back
from netspec.backends.keras.weights import all_layers, load_into, reordered, slots
from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph
from netspec.passes import Model
from netspec.passes.deterministic import deterministic
from netspec.weights import Array, Weights, check_weights

keras = need("keras", "keras")


def build_model(graph: Graph, weights: Weights, precision: str = "float32") -> Any:
    """Run the emitted source and load the weights; a `keras.Model`. Raises `SpecError` where they do not fit."""
    check_weights(graph, weights)
    source, name = emit_module(graph)
    module = ModuleType(f"netspec_{name}")
    exec(compile(source, f"<netspec {name}>", "exec"), module.__dict__)
    with in_precision(precision):
        try:
            model = getattr(module, name)()
        except RecursionError:
            message = "Keras recurses over the layers of a model, and here too many stand behind each other"
            raise SpecError(Diagnostic("too-deep", message)) from None
    _check_kernels(model, precision)
    load_into(model, graph, weights)
    return model


@contextmanager
def in_precision(name: str) -> Iterator[None]:
    """Layers made inside compute and keep their weights in this precision."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def _check_kernels(model: Any, precision: str) -> None:
    """Raise `SpecError` for what TensorFlow cannot compute in this precision."""
    pools = (keras.layers.MaxPooling3D, keras.layers.AveragePooling3D)
    if precision != "float64" or keras.backend.backend() != "tensorflow":
        return
    if names := [layer.name for layer in all_layers(model) if isinstance(layer, pools)]:
        message = f"TensorFlow pools volumes in float32 only, not in float64 ({', '.join(names)})"
        raise SpecError(Diagnostic("unsupported", message))


class KerasSession:
    """The emitted model as `netspec.backend.Session`, on Keras's active backend. `model` is the model."""

    def __init__(self, graph: Graph, weights: Weights, precision: str) -> None:
        graph = deterministic(Model(graph)).graph
        self._graph = graph
        self._precision = precision
        self.model = build_model(graph, weights, precision)
        self._infer = predictor(self.model)

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, in inference mode."""
        return self.named(self._infer(*self.feed(inputs)))

    def train_step(self, inputs: Mapping[str, Array], cotangents: Mapping[str, Array]) -> Step:
        """A forward and a backward pass in training mode with dropout at rate 0."""
        check_trains(self._graph)
        tensors = slots(self.model, self._graph)
        trainable = [slot for slot in tensors if slot.weight.trainable]
        variables = {id(v): v for slot in trainable for v in slot.variables}
        weights = [self._native(cotangents[each.name], each.node) for each in self._graph.outputs]
        pulled = pull_back(self.model, list(variables.values()), self.feed(inputs), weights)
        by_variable = dict(zip(variables, pulled.variables, strict=True))
        gradients = {
            slot.name: slot.to_canonical(lambda variable: by_variable[id(variable)])
            for slot in trainable
        }
        floats = (node.name for node in self._graph.inputs if node.shape.dtype == "float")
        gradients |= {
            name: self._canonical(value, name)
            for name, value in zip(floats, pulled.feeds, strict=True)
        }
        statistics = {
            slot.name: slot.to_canonical() for slot in tensors if not slot.weight.trainable
        }
        return Step(self.named(pulled.outputs), gradients, statistics)

    def feed(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Inputs as the model takes them: in its order, axes where Keras has them, cast."""
        return [self._native(inputs[node.name], node.name) for node in self._graph.inputs]

    def named(self, results: Sequence[Any]) -> dict[str, Array]:
        """What the model gave, by name and in the spec's order of axes."""
        return {
            output.name: self._canonical(value, output.node)
            for output, value in zip(self._graph.outputs, results, strict=True)
        }

    def _native(self, array: Array, node: str) -> Array:
        """A value of that node in Keras's order of axes and the session's precision."""
        shape = self._graph.by_name[node].shape
        dtype = self._precision if shape.dtype == "float" else "int32"
        return reordered(array, shape.axes, held_axes(shape.axes)).astype(dtype)

    def _canonical(self, value: Any, node: str) -> Array:
        """What Keras computed for that node in the spec's order of axes."""
        array = keras.ops.convert_to_numpy(value)
        axes = self._graph.by_name[node].shape.axes
        return reordered(array, held_axes(axes), axes)
