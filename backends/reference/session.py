"""Runs a graph forward and backward through the rows. Knows no op but `input`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from netspec.backend import Step, check_trains
from netspec.backends.reference.rows import ROWS, Applied, Result
from netspec.ir import Graph, Node, weight_path
from netspec.sizes import bind, measure, unknowns
from netspec.weights import Array, Weights


class ReferenceSession:
    """A network in one precision. A training step leaves its weights as they are.

    Where sizes are known only at run time, every call finds them in its arrays and runs the graph of
    these sizes. Raises `SpecError` where they do not fit the network.
    """

    def __init__(self, graph: Graph, weights: Weights, precision: str) -> None:
        self._graph = graph
        self._dtype = np.dtype(precision)
        self._unknowns = unknowns(graph)
        self._weights = {
            name: np.asarray(weights[name], self._dtype) for name, _ in graph.weights()
        }

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name, in inference mode. An array is dropped once its last reader has run."""
        if self._unknowns:
            return self._sized(inputs).predict(inputs)
        values = self._feed(inputs)
        unread = Counter(output.node for output in self._graph.outputs)
        for node in self._layers:
            unread.update(node.inputs)
        for node in self._layers:
            values[node.name] = self._apply(node, values, self._weights, training=False).output
            unread.subtract(node.inputs)
            for source in node.inputs:
                if not unread[source]:
                    values.pop(source, None)
        return {output.name: values[output.node] for output in self._graph.outputs}

    def train_step(self, inputs: Mapping[str, Array], cotangents: Mapping[str, Array]) -> Step:
        """One forward and backward pass in training mode.

        A shared layer's statistics move at each of its uses, in the order of the nodes.
        """
        check_trains(self._graph)
        if self._unknowns:
            return self._sized(inputs).train_step(inputs, cotangents)
        results: dict[str, Result] = {}
        values = self._feed(inputs)
        weights, statistics = dict(self._weights), dict[str, Array]()
        for node in self._layers:
            results[node.name] = self._apply(node, values, weights, training=True)
            values[node.name] = results[node.name].output
            stem = self._graph.owner(node).name
            for name, array in results[node.name].statistics.items():
                path = weight_path(stem, name)
                weights[path] = statistics[path] = array
        return Step(
            outputs={output.name: values[output.node] for output in self._graph.outputs},
            gradients=self._backward(results, cotangents),
            statistics=statistics,
        )

    def _sized(self, inputs: Mapping[str, Array]) -> ReferenceSession:
        """The session of the graph whose sizes are those of the arrays."""
        shapes = {name: np.shape(array)[1:] for name, array in inputs.items()}
        graph = bind(self._graph, measure(self._graph, shapes))
        return ReferenceSession(graph, self._weights, self._dtype.name)

    @property
    def _layers(self) -> Iterator[Node]:
        return (node for node in self._graph.nodes if node.op.kind != "input")

    def _feed(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        kinds = {"float": self._dtype, "int": np.dtype(np.int64)}
        values = {
            node.name: np.asarray(inputs[node.name], kinds[node.shape.dtype])
            for node in self._graph.inputs
        }
        for node in self._graph.inputs:
            shape = values[node.name].shape
            if shape[1:] != node.shape.sizes:
                raise ValueError(f"`{node.name}` takes (batch, {node.shape}), got {shape}")
        return values

    def _apply(
        self, node: Node, values: Mapping[str, Array], weights: Mapping[str, Array], training: bool
    ) -> Result:
        arrays = tuple(values[source] for source in node.inputs)
        own = {weight.name: weights[name] for name, weight in self._graph.weights_of(node)}
        shapes = self._graph.input_shapes(node)
        at = Applied(arrays, shapes, own, training, self._dtype.name)
        return ROWS[node.op](node.op, at)

    def _backward(
        self, results: Mapping[str, Result], cotangents: Mapping[str, Array]
    ) -> dict[str, Array]:
        """A layer's cotangent is complete when it is reached.

        One that leads to no output has none: it is there because the same layer elsewhere does.
        """
        pending: dict[str, Array] = {}

        def accumulate(name: str, gradient: Array) -> None:
            pending[name] = pending[name] + gradient if name in pending else gradient

        for output in self._graph.outputs:
            accumulate(output.node, np.asarray(cotangents[output.name], self._dtype))
        found: dict[str, Array] = {}
        for node in reversed(list(self._layers)):
            if node.name not in pending:
                continue
            pulled = results[node.name].pullback(pending.pop(node.name))
            for source, gradient in zip(node.inputs, pulled.inputs, strict=True):
                accumulate(source, gradient)
            stem = self._graph.owner(node).name
            for name, gradient in pulled.weights.items():
                full = weight_path(stem, name)
                found[full] = found[full] + gradient if full in found else gradient
        for node in self._graph.inputs:
            if node.shape.dtype == "int":
                continue
            shape = next(iter(cotangents.values())).shape[:1] + node.shape.sizes
            found[node.name] = pending.get(node.name, np.zeros(shape, self._dtype))
        return found
