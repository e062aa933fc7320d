"""An ONNX model of float32 in float16, with inputs and outputs as they are. Knows nothing of specs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.diagnostics import Diagnostic, SpecError
from netspec.weights import np

if TYPE_CHECKING:
    from collections.abc import Iterator

onnx = need("onnx", "onnx")

_FLOAT, _HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def to_half(model: bytes) -> bytes:
    """The model with its weights and what it computes in float16.

    Inputs and outputs keep their types, with a `Cast` behind and in front of them. Raises `SpecError` for
    weights beyond what float16 holds.
    """
    proto = onnx.load_from_string(model)
    graph = proto.graph
    nodes = list(_nodes(graph))
    del graph.node[:]
    graph.node.extend(nodes)
    for tensor in graph.initializer:
        if tensor.data_type == _FLOAT:
            _round(tensor)
    for info in graph.value_info:
        if info.type.tensor_type.elem_type == _FLOAT:
            info.type.tensor_type.elem_type = _HALF
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _nodes(graph: Any) -> Iterator[Any]:
    """The graph's nodes with casts where the types change."""
    edges = [*graph.input, *graph.output]
    halved = {
        edge.name: f"{edge.name}/float16"
        for edge in edges
        if edge.type.tensor_type.elem_type == _FLOAT
    }
    for each in graph.input:
        if each.name in halved:
            yield _cast(each.name, halved[each.name], _HALF)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [halved.get(name, name) for name in names]
        yield node
    for each in graph.output:
        if each.name in halved:
            yield _cast(halved[each.name], each.name, _FLOAT)


def _cast(before: str, after: str, kind: int) -> Any:
    return onnx.helper.make_node("Cast", [before], [after], name=f"{after}/Cast", to=kind)


def _round(tensor: Any) -> None:
    """Round an initializer to float16."""
    array = onnx.numpy_helper.to_array(tensor)
    with np.errstate(over="ignore"):  # what overflows is found below
        rounded = array.astype(np.float16)
    if not np.isfinite(rounded[np.isfinite(array)]).all():
        message = f"`{tensor.name}` holds {np.abs(array).max():.3g}, and float16 ends at 65,504"
        raise SpecError(Diagnostic("weight-overflow", message))
    name = tensor.name
    tensor.CopyFrom(onnx.numpy_helper.from_array(rounded, name))
