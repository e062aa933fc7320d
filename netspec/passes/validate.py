"""The invariants of a graph, as code that runs between passes. Knows nothing of weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from netspec import sharing
from netspec.dim import UnknownSize, below
from netspec.ir import Graph, Node
from netspec.ops import Rejected
from netspec.paths import is_segment
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
    8. A node that shares comes after the other, and stands for it in a scope that mirrors the other's
       (`netspec.sharing.difference`), or its op borrows weights that the other has.
    9. Names are what a spec can write: parts of paths as the builder takes them, all others identifiers.
    """
    if found := tuple(_faults(graph)):
        raise InvalidGraph(graph.name, found)


def _faults(graph: Graph) -> Iterator[str]:
    yield from _names(graph)
    shapes: dict[str, Shape] = {}
    sound = True
    for node in graph.nodes:
        if absent := [name for name in node.inputs if name not in shapes]:
            sound = False
            yield from (
                f"`{node.name}` reads `{name}`, which no node before it gives" for name in absent
            )
        elif fault := _inference(node, tuple(shapes[name] for name in node.inputs)):
            sound = False
            yield fault
        if node.shares is not None and node.shares not in shapes:
            sound = False
            yield f"`{node.name}` shares `{node.shares}`, which is no node before it"
        shapes[node.name] = node.shape
    if sound:
        yield from _sharing(graph)
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
    for path in (*nodes, *scopes):
        if not all(is_segment(part.removeprefix("_")) for part in path.split(".")):
            yield f"`{path}` cannot name a layer"
    for scope in graph.scopes:
        for word in (*([] if scope.block is None else [scope.block]), *scope.arguments):
            if not (word.isascii() and word.isidentifier()):
                yield f"`{word}` cannot name a block or its parameter"
    tensors = {name: "tensor" for names in graph.tensors.values() for name in names.values()}
    for name, what in (*tensors.items(), *dict.fromkeys(outputs, "result").items()):
        if not (name.isascii() and name.isidentifier()):
            yield f"`{name}` cannot name a {what}"
    for name in nodes.keys() & scopes.keys():
        yield f"`{name}` is a node and a scope"
    for path in (*nodes, *scopes):
        for parent in parents(path):
            if parent in nodes:
                yield f"`{path}` lies below the node `{parent}`"
    for path in graph.positions.keys() - nodes.keys() - scopes.keys():
        yield f"there is a position for `{path}`, which is no node and no scope"


def _sharing(graph: Graph) -> Iterator[str]:
    """What is wrong with the uses of shared instances, in a graph whose nodes are right by themselves."""
    uses: dict[tuple[str, str], None] = {}
    for node in graph.nodes:
        if node.op.borrows and not sharing.mirrors(graph, node):
            yield from _borrowing(graph, node)
        elif node.shares is not None:
            places = sharing.places(node.name, node.shares)
            if places is None:
                yield f"`{node.name}` shares `{node.shares}`, which stands in another place"
            else:
                uses[places] = None
    found: dict[str, list[Node]] = {path: [] for places in uses for path in places}
    for node in graph.nodes:
        for path in (*parents(node.name), node.name):
            if path in found:
                found[path].append(node)
    for later, first in uses:
        use, again = (sharing.Use(path, tuple(found[path])) for path in (first, later))
        fault = sharing.difference(use, again, lambda node: [w for _, w in graph.weights_of(node)])
        if fault is None:
            pairs = zip(use.nodes, again.nodes, strict=True)
            apart = [(twin, node) for node, twin in pairs if twin.shares != node.name]
            fault = next(
                (f"`{twin.name}` does not share `{node.name}`" for twin, node in apart), None
            )
        if fault is not None:
            yield f"`{later}` is no second `{first}`: {fault}"


def _borrowing(graph: Graph, node: Node) -> Iterator[str]:
    """Whether a node borrows weights that there are."""
    if node.shares is None:
        yield f"`{node.name}` is a `{node.op.kind}`, which has no weights of its own, and shares none"
        return
    owner = graph.owner(node)
    owned = {weight.name: weight.shape for _, weight in graph.weights_of(owner)}
    for name, weight in graph.weights_of(node):
        if owned.get(weight.name) != weight.shape:
            yield f"`{node.name}` works with `{name}` of shape {weight.shape}, which is no weight of `{owner.name}`"


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
    if any(
        shape.kind not in op.accepted(place) or shape.dtype not in op.dtypes
        for place, shape in enumerate(inputs)
    ):
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
