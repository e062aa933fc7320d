"""A QDQ model with what makes and what reads each of its tensors. Knows ONNX, and nothing of specs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netspec.backend import need

if TYPE_CHECKING:
    from netspec.weights import Array

onnx = need("onnx", "onnx")


class Qdq:
    """A graph with what makes and what reads each of its tensors, and those that it holds."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self.nodes = list(graph.node)
        self.inputs = {
            each.name: tuple(size.dim_value for size in each.type.tensor_type.shape.dim)
            for each in graph.input
        }
        self.outputs = [each.name for each in graph.output]
        self.held = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {name: node for node in self.nodes for name in node.output}
        self._readers: dict[str, list[Any]] = {name: [None] for name in self.outputs}
        for node in self.nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def rewrite(self, instead: Mapping[str, Sequence[Any]]) -> None:
        """Put other nodes in the place of those of these names, and drop what is left over."""
        nodes = [each for node in self.nodes for each in instead.get(node.name, [node])]
        read = {name for node in nodes for name in node.input}
        made = {name for node in nodes for name in node.output}
        parts = (
            (self._graph.node, nodes),
            (self._graph.initializer, [t for t in self._graph.initializer if t.name in read]),
            (self._graph.value_info, [v for v in self._graph.value_info if v.name in made]),
        )
        for field, kept in parts:
            del field[:]
            field.extend(kept)

    def reader(self, name: str, *kinds: str) -> Any:
        """The one node that reads a tensor, if it is of these kinds, or None."""
        found = self._readers.get(name, [])
        (node,) = found if len(found) == 1 else (None,)
        return node if node is not None and node.op_type in kinds else None

    def maker(self, name: str, *kinds: str) -> Any:
        """The node that makes a tensor, if it is of these kinds and makes it for one reader alone, or None."""
        node = self._makers.get(name)
        if node is None or node.op_type not in kinds or len(node.output) > 1:
            return None
        return node if len(self._readers[name]) == 1 else None

    def values(self, name: str) -> Array:
        """The numbers of a tensor that the graph holds."""
        found: Array = onnx.numpy_helper.to_array(self.held[name])
        return found

    def hold(self, name: str, values: Array) -> str:
        """Keep a new tensor; gives its name."""
        self._graph.initializer.append(onnx.numpy_helper.from_array(values, name))
        return name
