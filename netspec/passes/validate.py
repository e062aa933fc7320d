"""The invariants of a graph, as code that runs between passes. Knows nothing of weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from netspec.dim import UnknownSize, below
from netspec.ir import Graph, Node
from netspec.ops import Rejected
from netspec.shape import Shape


class InvalidGraph(ValueError):
    """A graph that no spec gives. `faults` has one sentence for each thing that is wrong."""

    def __init__(self, name: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"the graph `{name}` is not valid:\n" + "\n".join(faults))
        self.faults = faults


def validate(graph: Graph) -> None:
    """Raise `InvalidGraph` unless all of these hold.

    1. Names of nodes, of scopes and of outputs are each unique.
    2. A path is a node's or a scope's, never both, and nothing lies below a node's path.
    3. A node's inputs exist and stand before it.
    4. A node's op is settled, and takes its inputs.
    5. A node's shape is the one that its op infers.
    6. There are outputs, and their nodes exist.
    7. Positions belong to nodes and scopes.
    """
    if found := tuple(_faults(graph)):
        raise InvalidGraph(graph.name, found)


def _faults(graph: Graph) -> Iterator[str]:
    yield from _names(graph)
    shapes: dict[str, Shape] = {}
    for node in graph.nodes:
        if absent := [name for name in node.inputs if name not in shapes]:
            yield from (
                f"`{node.name}` reads `{name}`, which no node before it gives" for name in absent
            )
        else:
            fault = _inference(node, tuple(shapes[name] for name in node.inputs))
            yield from (fault,) if fault else ()
        shapes[node.name] = node.shape
    if not graph.outputs:
        yield "the graph has no outputs"
    for output in graph.outputs:
        if output.node not in shapes:
            yield f"the output `{output.name}` is `{output.node}`, which is no node"


def _names(graph: Graph) -> Iterator[str]:
    nodes = Counter(node.name for node in graph.nodes)
    scopes = Counter(scope.path for scope in graph.scopes)
    outputs = Counter(output.name for output in graph.outputs)
    for what, names in (("nodes", nodes), ("scopes", scopes), ("outputs", outputs)):
        for name, count in names.items():
            if count > 1:
                yield f"{count} {what} are called `{name}`"
    for name in nodes.keys() & scopes.keys():
        yield f"`{name}` is a node and a scope"
    for path in (*nodes, *scopes):
        for parent in parents(path):
            if parent in nodes:
                yield f"`{path}` lies below the node `{parent}`"
    for path in graph.positions.keys() - nodes.keys() - scopes.keys():
        yield f"there is a position for `{path}`, which is no node and no scope"


def parents(path: str) -> Iterator[str]:
    """The paths above a path: `a` and `a.b` for `a.b.c`."""
    return (path[:index] for index, character in enumerate(path) if character == ".")


def _inference(node: Node, inputs: tuple[Shape, ...]) -> str | None:
    """Why a node cannot have its shape, or None."""
    op = node.op
    for shape in (*inputs, node.shape):
        if (
            len(set(shape.axes)) != len(shape.axes)
            or len(shape.axes) != len(shape.sizes)
            or not shape.sizes
            or any(below(size, 1) for size in shape.sizes)
        ):
            return f"`{node.name}` meets a shape of axes `{shape.axes}`, sizes {shape.sizes}"
    if not op.merges and len(inputs) != (0 if op.kind == "input" else 1):
        return f"`{node.name}` is a `{op.kind}` of {len(inputs)} tensors"
    if any(shape.kind not in op.accepts or shape.dtype not in op.dtypes for shape in inputs):
        given = " and ".join(f"{shape.dtype} {shape.kind} {shape}" for shape in inputs)
        return f"`{node.name}` is a `{op.kind}` of {given}"
    try:
        if op.settle(*inputs) != op:
            return f"`{node.name}` is not settled: {op!r}"
        inferred = op.infer(*inputs)
    except Rejected as rejected:
        return f"`{node.name}` cannot be: {rejected.message}"
    except UnknownSize as unknown:
        return f"`{node.name}` cannot be: {unknown}"
    if inferred != node.shape:
        return f"`{node.name}` is {node.shape}, but its op gives {inferred}"
    return None
