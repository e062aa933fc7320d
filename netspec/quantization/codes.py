"""Rewrites of QDQ models that keep ONNX Runtime in 8-bit integers. Knows ONNX models, and nothing of specs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.quantization.ends import images, results
from netspec.quantization.qdq import Qdq

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


def in_integers(model: bytes) -> bytes:
    """The model with bounds that are compared as codes, and with ends that suit ONNX Runtime (`ends.py`).

    What is larger has no smaller code: the code of `max(x, bound)` is the larger one of two codes. So a `Max` of
    bytes gives what one of floats gave with conversions around it; where `x` was rounded to codes of its own
    before, that goes. With `Min` it is the same, and max pools that stand there come along.
    """
    proto = onnx.load_from_string(model)
    graph = Qdq(proto.graph)
    graph.rewrite({**_bounded(graph), **images(graph), **results(graph)})
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _bounded(graph: Qdq) -> dict[str, list[Any]]:
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


def _value(graph: Qdq, node: Any) -> str:
    """The first tensor that a node reads and the graph does not hold."""
    return next(str(name) for name in node.input if name not in graph.held)


def _before(graph: Qdq, quantize: Any) -> Iterator[Any]:
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


def _of_codes(graph: Qdq, quantize: Any, chain: list[Any], source: str) -> Iterator[Any]:
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
