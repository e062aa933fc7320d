"""Graph and weights -> ModelProto. Knows how ONNX spells a graph, and no op by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from netspec.backend import need
from netspec.backends.onnx.layout import Layout
from netspec.backends.onnx.rows import (
    DEFAULT_OPSET,
    IR_VERSIONS,
    ROWS,
    Apply,
    Attribute,
    Constant,
    Operand,
    Site,
    Stored,
)
from netspec.diagnostics import Diagnostic, SpecError
from netspec.dim import Dim
from netspec.ir import Graph
from netspec.passes import Model
from netspec.passes.sequence_layout import sequence_layout
from netspec.shape import Shape
from netspec.sizes import unknowns
from netspec.weights import Array, Weights, check_weights

if TYPE_CHECKING:
    import numpy as np
else:
    np = need("numpy", "onnx")

onnx = need("onnx", "onnx")

BATCH = "N"
LARGEST = 2**31 - 2**20
"""Bytes of weights in one file: protobuf ends at 2 GiB, and the graph itself needs some of them."""
SMALL = 1024
"""Bytes up to which an initializer may be a constant that shape inference needs to know."""


class _Lowered(NamedTuple):
    """A node on its way: the tree that computes it, and the path of the node whose value it gives.

    Where the node only passes a value on, there is no tree and the path is another node's; or it stands
    for a weight or a constant itself.
    """

    tree: Apply | None
    origin: Operand
    weights: tuple[Stored, ...]


class External(NamedTuple):
    """A file beside the model that holds its weights: its name, and for each weight the offset in it and its bytes."""

    location: str
    places: Mapping[str, tuple[int, int]]


def assemble(
    graph: Graph,
    weights: Weights,
    *,
    opset: int = DEFAULT_OPSET,
    double: bool = False,
    external: External | None = None,
) -> Any:
    """The `ModelProto` of a network for inference; `double` makes all its numbers float64.

    Values are called by the paths of their nodes, results by their outputs' names; the batch axis
    is symbolic. Weights that are `external` are only referred to. Raises `SpecError` for an opset out of range,
    weights that do not fit the graph or, where none are external, the file, and a result that is called like an input.
    """
    _check(graph, weights, opset)
    if external is None and (size := size_of(weights, 8 if double else 4)) > LARGEST:
        raise SpecError(
            Diagnostic(
                "model-too-large",
                f"the weights take {size / 2**30:.2f} GiB, but in memory an ONNX model holds less than 2",
                help="`netspec compile -o FILE.onnx` writes them into a file beside it",
            )
        )
    written, graph = graph, sequence_layout(Model(graph)).graph
    layout = Layout(graph, opset)
    lowered = _lower(graph, layout, opset, double)
    names = _value_names(graph, lowered, layout)
    results = [
        (output, layout.result(output.node, _origin(lowered, output.node)))
        for output in graph.outputs
    ]
    stated = {output.name for output in graph.outputs}

    model = onnx.ModelProto(ir_version=IR_VERSIONS[opset], producer_name="netspec")
    model.opset_import.add(domain="", version=opset)
    model.doc_string = _signature(graph)
    for key, text in _metadata(written).items():
        model.metadata_props.add(key=key, value=text)
    writer = _Writer(model.graph, names, _batch_name(graph), double, external)
    model.graph.name = graph.name
    for node in graph.inputs:
        writer.declare(model.graph.input, node.name, node.shape)
    for node in graph.nodes:
        tree, _, owned = lowered[node.name]
        if tree is not None:
            writer.write(node.name, tree, names[node.name])
        for name in owned if node.shares is None else ():
            writer.weight(name, weights[name])
        if tree is not None and names[node.name] not in stated:
            is_flat = layout.is_flat(node.name)
            writer.declare(model.graph.value_info, names[node.name], node.shape, is_flat)
    for output, value in results:
        path = f"{output.node}/{output.name}"
        if isinstance(value, Apply):
            writer.write(path, value, output.name)
        elif names[value] != output.name:
            writer.node("Identity", path, [names[value]], [output.name], {})
        writer.declare(model.graph.output, output.name, graph.by_name[output.node].shape)
    return model


def size_of(weights: Weights, itemsize: int = 4) -> int:
    """The bytes that weights take in a model."""
    return sum(array.size for array in weights.values()) * itemsize


def serialize(model: Any) -> bytes:
    """The bytes of a model that ONNX's checker and strict shape inference accept."""
    onnx.checker.check_model(_skeleton(model).SerializeToString(), full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _skeleton(model: Any) -> Any:
    """The model with its large weights as inputs of their shapes: the checker parses no megabytes."""
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = model.graph
    light.graph.name = graph.name
    for field in ("node", "input", "output", "value_info"):
        getattr(light.graph, field).extend(getattr(graph, field))
    for tensor in graph.initializer:
        if not tensor.external_data and len(tensor.raw_data) <= SMALL:
            light.graph.initializer.append(tensor)
            continue
        stated = light.graph.input.add(name=tensor.name).type.tensor_type
        stated.elem_type = tensor.data_type
        for size in tensor.dims:
            stated.shape.dim.add(dim_value=size)
    return light


def _check(graph: Graph, weights: Weights, opset: int) -> None:
    newest = min(max(IR_VERSIONS), onnx.defs.onnx_opset_version())
    oldest = min(IR_VERSIONS)
    if not oldest <= opset <= newest:
        raise SpecError(
            Diagnostic("bad-opset", f"opset {opset} is not one of {oldest} to {newest}")
        )
    ROWS.check(graph)
    check_weights(graph, weights)
    fixed = {node.name for node in graph.inputs} | set(weights)
    mistakes = [
        Diagnostic(
            "duplicate-name",
            f"ONNX cannot tell the result `{output.name}` from the input or weight of that name",
            help="give the result another name",
        )
        for output in graph.outputs
        if output.name in fixed
    ]
    if mistakes:
        raise SpecError(*mistakes)


def _lower(graph: Graph, layout: Layout, opset: int, double: bool) -> dict[str, _Lowered]:
    """Every row applied, in the order of the nodes."""
    lowered: dict[str, _Lowered] = {}
    for node in graph.nodes:
        owned = tuple(Stored(name) for name, _ in graph.weights_of(node))
        inputs = tuple(
            layout.read(node, place, lowered[name].origin) for place, name in enumerate(node.inputs)
        )
        shapes, bare = layout.shapes(node), graph.is_spread(node)
        site = Site(inputs or (node.name,), shapes, owned, opset, layout.numbering, double, bare)
        tree = ROWS[node.op](node.op, site)
        if isinstance(tree, Apply):
            lowered[node.name] = _Lowered(tree, node.name, owned)
        else:
            lowered[node.name] = _Lowered(None, tree, owned)
        layout.made(node, lowered[node.name].origin)
    return lowered


def _origin(lowered: Mapping[str, _Lowered], result: str) -> str:
    """The node whose value is a result of the network: never a bare weight or constant."""
    origin = lowered[result].origin
    assert isinstance(origin, str)
    return origin


def _value_names(graph: Graph, lowered: Mapping[str, _Lowered], layout: Layout) -> dict[str, str]:
    """What each value is called: a result by its first output's name, others by path if free."""
    names: dict[str, str] = {}
    for output in graph.outputs:
        origin = _origin(lowered, output.node)
        if lowered[origin].tree is not None and not layout.is_flat(origin):
            names.setdefault(origin, output.name)
    taken = {output.name for output in graph.outputs}.union(
        *(each.weights for each in lowered.values())
    )
    for path in lowered:
        names.setdefault(path, f"{path}/value" if path in taken else path)
    return names


def _signature(graph: Graph) -> str:
    """What goes in and what comes out, for the reader: `input 1 x 8 x 8 -> output 4`."""
    given = [f"{node.name} {node.shape}" for node in graph.inputs]
    results = [f"{output.name} {graph.by_name[output.node].shape}" for output in graph.outputs]
    return f"{', '.join(given)} -> {', '.join(results)}"


def _batch_name(graph: Graph) -> str:
    """What the batch axis is called: `N`, unless the spec calls another size so."""
    name = BATCH
    while name in unknowns(graph):
        name += "_"
    return name


def _metadata(graph: Graph) -> dict[str, str]:
    return {
        "netspec.name": graph.name,
        "netspec.fingerprint": graph.fingerprint,
        "netspec.ir_version": str(graph.version),
    }


class _Writer:
    """Fills a `GraphProto`. Messages are added in place, since protobuf copies what is appended."""

    def __init__(
        self,
        proto: Any,
        names: Mapping[str, str],
        batch: str,
        double: bool,
        external: External | None,
    ) -> None:
        self._external = external
        self._batch = batch
        self._proto = proto
        self._names = names
        self._float = onnx.TensorProto.DOUBLE if double else onnx.TensorProto.FLOAT
        self._dtype = np.dtype("<f8" if double else "<f4")
        self._nodes: dict[int, Any] = {}
        self._constants: dict[int, str] = {}

    def declare(self, infos: Any, name: str, shape: Shape, is_flat: bool = False) -> None:
        """State a value's type: any batch of `shape`, perhaps with all positions in one axis."""
        info = infos.add(name=name)
        tensor = info.type.tensor_type
        tensor.elem_type = onnx.TensorProto.INT64 if shape.dtype == "int" else self._float
        *positions, features = Dim.unknown(self._batch), *shape.sizes
        sizes = (prod(positions), features) if is_flat else (*positions, features)
        for size in sizes:
            if isinstance(size, Dim):
                tensor.shape.dim.add(dim_param=str(size))
            else:
                tensor.shape.dim.add(dim_value=size)

    def weight(self, name: str, array: Array) -> None:
        """An initializer in the model's float type."""
        if self._external is not None and name in self._external.places:
            self._refer(name, array.shape, self._external)
            return
        content = np.asarray(array, dtype=self._dtype).tobytes()
        self._proto.initializer.add(
            name=name, dims=array.shape, data_type=self._float, raw_data=content
        )

    def _refer(self, name: str, shape: tuple[int, ...], external: External) -> None:
        tensor = self._proto.initializer.add(
            name=name,
            dims=shape,
            data_type=self._float,
            data_location=onnx.TensorProto.EXTERNAL,
        )
        offset, length = external.places[name]
        where = {"location": external.location, "offset": str(offset), "length": str(length)}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=value)

    def write(self, path: str, tree: Apply, name: str) -> None:
        """The nodes of a tree that gives the value of that name: the root is called `path`, those below it `path/Op`.

        A node that stands in it or below the roots of others several times, for one or for several of its results,
        is written once: copies of it share their operands. The caller keeps all trees till the last is written.
        """
        inner: dict[str, int] = {}

        def free(word: str) -> str:
            inner[word] = inner.get(word, 0) + 1
            return f"{path}/{word}{inner[word] if inner[word] > 1 else ''}"

        # Not by recursion: a sum of hundreds of branches, or as many layers in one, nest as deep.
        waiting: list[tuple[Apply, str, list[str]]] = [(tree, path, [])]
        while waiting:
            at, own, inputs = waiting[-1]
            for of in at.operands[len(inputs) :]:
                if isinstance(of, Apply) and id(of.operands) not in self._nodes:
                    waiting.append((of, free(of.op_type), []))
                    break
                inputs.append(self._operand(of, free))
            else:
                waiting.pop()
                outputs = [] if waiting else [*[""] * tree.result, name]
                made = self.node(at.op_type, own, inputs, outputs, at.attributes)
                if waiting:
                    self._nodes[id(at.operands)] = made

    def _operand(self, of: Operand, free: Callable[[str], str]) -> str:
        """What an operand is called; the nodes that compute it are written. Constants get a free name."""
        if isinstance(of, Stored):
            return of
        if isinstance(of, str):
            return self._names.get(of, of)
        if isinstance(of, Constant):
            if id(of) not in self._constants:
                self._constants[id(of)] = self._constant(free("constant"), of)
            return self._constants[id(of)]
        return _result(self._nodes[id(of.operands)], of.result)

    def node(
        self,
        op_type: str,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, Attribute],
    ) -> Any:
        """One `NodeProto`."""
        proto = self._proto.node.add(op_type=op_type, name=name, input=inputs, output=outputs)
        for key, value in attributes.items():
            if isinstance(value, tuple) and value and isinstance(value[0], str):
                words = [str(word).encode() for word in value]
                proto.attribute.add(name=key, type=onnx.AttributeProto.STRINGS, strings=words)
                continue
            field, kind = _ATTRIBUTES[type(value)]
            content = value.encode() if isinstance(value, str) else value
            proto.attribute.add(name=key, type=kind, **{field: content})
        return proto

    def _constant(self, name: str, constant: Constant) -> str:
        whole = bool(constant.values) and isinstance(constant.values[0], int)
        content = np.array(constant.values, "<i8" if whole else self._dtype).tobytes()
        kind = onnx.TensorProto.INT64 if whole else self._float
        self._proto.initializer.add(
            name=name, dims=constant.shape, data_type=kind, raw_data=content
        )
        return name


def _result(node: Any, number: int) -> str:
    """The name of a node's result of that number; those that nobody reads have none."""
    while len(node.output) <= number:
        node.output.append("")
    if not node.output[number]:
        node.output[number] = f"{node.name}:{number}" if any(node.output) else node.name
    name: str = node.output[number]
    return name


_ATTRIBUTES = {
    int: ("i", onnx.AttributeProto.INT),
    float: ("f", onnx.AttributeProto.FLOAT),
    str: ("s", onnx.AttributeProto.STRING),
    tuple: ("ints", onnx.AttributeProto.INTS),
}
"""By the type of an attribute's value: the field that holds it, and ONNX's name for the type."""
