"""Rewrites of QDQ models that keep ONNX Runtime in 8-bit integers. Knows ONNX models, and nothing of specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from netspec.backend import need

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")

onnx = need("onnx", "onnx")

_BOUNDS = ("Max", "Min")
_ROUNDING = ("QuantizeLinear", "DequantizeLinear")
_MOVERS = ("MaxPool", "Flatten", "Reshape", "Transpose")
"""Ops of one tensor that give some of its elements, the larger ones if any."""
_WHOLE = 8192
"""Bounds of so many numbers are kept for each of them."""
_LANES = 4
"""ONNX Runtime's direct convolution of bytes takes a multiple of so many input channels (MLAS, `ConvSym`)."""
_FILTERS = 16
"""It takes so many filters at least."""
_MORE = 64
"""Multiply-adds that each of its results may take beyond what it takes anyway: it wins less than more would cost."""


def in_integers(model: bytes) -> bytes:
    """The model with bounds that are compared as codes, and images as wide as suits the fast convolution.

    1. What is larger has no smaller code: the code of `max(x, bound)` is the larger one of two codes. So a `Max` of
       bytes gives what one of floats gave with conversions around it; where `x` was rounded to codes of its own
       before, that goes. With `Min` it is the same, and max pools that stand there come along.
    2. The first convolution of an image gets channels of zeros, with weights of zero, up to a multiple of 4: ONNX
       Runtime has a direct convolution for that, which needs a third of the time for a window of 3 x 3.
    """
    proto = onnx.load_from_string(model)
    graph = _Graph(proto.graph)
    graph.rewrite({**_bounded(graph), **_widened(graph)})
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


class _Graph:
    """A graph with what makes and what reads each of its tensors, and those that it holds."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self.nodes = list(graph.node)
        self.inputs = [each.name for each in graph.input]
        self.held = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {name: node for node in self.nodes for name in node.output}
        self._readers: dict[str, list[Any]] = {result.name: [None] for result in graph.output}
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


def _bounded(graph: _Graph) -> dict[str, list[Any]]:
    """By their names, nodes with those that compare codes in their places."""
    found: dict[str, list[Any]] = {}
    for node in reversed(graph.nodes):  # what is rounded last decides
        if node.op_type == "QuantizeLinear" and node.name not in found:
            gone = list(_before(graph, node))
            if any(each.op_type in _BOUNDS for each in gone):
                chain = [each for each in reversed(gone) if each.op_type not in _ROUNDING]
                found |= {each.name: [] for each in gone}
                found[node.name] = list(_of_codes(graph, node, chain, _value(graph, gone[-1])))
    return found


def _value(graph: _Graph, node: Any) -> str:
    """The first tensor that a node reads and the graph does not hold."""
    return next(str(name) for name in node.input if name not in graph.held)


def _before(graph: _Graph, quantize: Any) -> Iterator[Any]:
    """The bounds and movers in front of a node and what rounds between them, the last one first."""
    node = quantize
    while node is quantize or sum(name not in graph.held for name in node.input) == 1:
        name = _value(graph, node)
        last = graph.maker(name, "DequantizeLinear")
        first = last and graph.maker(last.input[0], "QuantizeLinear")
        if first:
            yield from (last, first)
            name = first.input[0]
        node = graph.maker(name, *_BOUNDS, *_MOVERS)
        if node is None:
            return
        yield node


def _of_codes(graph: _Graph, quantize: Any, chain: list[Any], source: str) -> Iterator[Any]:
    """The nodes that give what a chain and then `quantize` gave, of codes."""
    scale, zero = (graph.values(name) for name in quantize.input[1:3])
    ends = np.iinfo(zero.dtype)

    def coded(name: str, of: str) -> str:
        """What a comparison reads in the place of a bound."""
        codes = np.clip(np.rint(_lean(graph.values(name)) / scale) + zero, ends.min, ends.max)
        return graph.hold(f"{of}/{name}/codes", codes.astype(zero.dtype))

    result = quantize.output[0]
    quantize.input[0], quantize.output[0] = source, f"{quantize.name}/codes"
    yield quantize
    value = quantize.output[0]
    for node in chain:
        for place, name in enumerate(node.input):
            if name not in graph.held:
                node.input[place] = value
            elif node.op_type in _BOUNDS:
                node.input[place] = coded(name, node.name)
        value = result if node is chain[-1] else f"{node.output[0]}/codes"
        node.output[0] = value
        yield node


def _lean(bounds: Array) -> Array:
    """Bounds of a large image without the axis of its rows, if all rows are alike.

    One number for each channel would do; but ONNX Runtime compares long rows faster than one channel after the other.
    """
    rows = bounds[:, :, :1]
    is_large = bounds.ndim == 4 and bounds.size > _WHOLE
    return rows if is_large and (rows == bounds).all() else bounds


def _widened(graph: _Graph) -> dict[str, list[Any]]:
    """By their names, what quantizes images, with the channels of zeros in front."""
    found: dict[str, list[Any]] = {}
    for given in graph.inputs:
        quantize, conv = _first_convolution(graph, given)
        if conv is None:
            continue
        tensor = graph.held[graph.maker(conv.input[1], "DequantizeLinear").input[0]]
        kernel = onnx.numpy_helper.to_array(tensor)
        missing = -kernel.shape[1] % _LANES
        wide = np.pad(kernel, [(0, 0), (0, missing), (0, 0), (0, 0)])
        tensor.CopyFrom(onnx.numpy_helper.from_array(wide, tensor.name))
        pads = graph.hold(f"{given}/pads", np.array([0] * 5 + [missing, 0, 0], np.int64))
        name = f"{given}/wide"
        quantize.input[0] = name
        pad = onnx.helper.make_node("Pad", [given, pads], [name], name=name)
        found[quantize.name] = [pad, quantize]
    return found


def _first_convolution(graph: _Graph, given: str) -> tuple[Any, Any]:
    """What quantizes an image, and the convolution that alone reads it, where more channels would suit that."""
    quantize = graph.reader(given, "QuantizeLinear")
    floats = quantize and graph.reader(quantize.output[0], "DequantizeLinear")
    conv = floats and graph.reader(floats.output[0], "Conv")
    weight = conv and graph.maker(conv.input[1], "DequantizeLinear")
    if not weight or graph.reader(weight.input[0], "DequantizeLinear") is None:
        return None, None
    filters, channels, *window = graph.held[weight.input[0]].dims
    has_groups = any(each.name == "group" and each.i > 1 for each in conv.attribute)
    suits = len(window) == 2 and filters >= _FILTERS and not has_groups
    more = -channels % _LANES * prod(window)
    return (quantize, conv) if suits and 0 < more <= _MORE else (None, None)
