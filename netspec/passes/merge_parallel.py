"""Makes one layer of equal layers side by side whose results are concatenated."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from netspec.backend import need
from netspec.ir import Graph, Node
from netspec.ops import Op
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.merge import Concat
from netspec.passes import Model, Note
from netspec.passes.kernel import Kernel, read_kernel, write_kernel
from netspec.passes.rewrite import carry, followed, rewrite
from netspec.passes.uses import unmatched
from netspec.shape import Shape

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array, Weights
else:
    np = need("numpy", "weights")

_STEP = "merge-parallel"
_Layer: TypeAlias = Conv | ConvTranspose | Dense


class _Lane(NamedTuple):
    """A branch of a concat: a layer, and functions of each element behind it, or any other node alone."""

    nodes: tuple[Node, ...]
    reason: str | None = None
    """Why it stays as it is."""

    @property
    def is_free(self) -> bool:
        """Whether it may become one with others."""
        return isinstance(self.nodes[0].op, _Layer) and self.reason is None

    @property
    def layer(self) -> _Layer:
        """Its first op."""
        op = self.nodes[0].op
        assert isinstance(op, _Layer)
        return op

    @property
    def likeness(self) -> object:
        """What equal lanes have in common: all but how many channels they give, and their weights."""
        first, *rest = self.nodes
        if not isinstance(first.op, _Layer):
            return first.name
        return first.inputs, _with_outputs(self.layer, 1, bias=True), [node.op for node in rest]


class _Plan(NamedTuple):
    """What a concat reads in the end: single tensors, and rows of lanes that become one."""

    node: Node
    inner: tuple[str, ...]
    """The concats within it that become part of it."""
    rows: tuple[str | tuple[_Lane, ...], ...]
    apart: tuple[_Lane, ...]
    """Lanes that stay beside equal ones."""

    @property
    def lanes(self) -> Iterator[tuple[_Lane, ...]]:
        """The rows of lanes that become one."""
        return (row for row in self.rows if isinstance(row, tuple))

    @property
    def changes(self) -> bool:
        """Whether it does anything."""
        return bool(self.inner) or any(self.lanes)

    @property
    def touched(self) -> list[str]:
        """The nodes that go or change."""
        inside = (node.name for row in self.lanes for lane in row for node in lane.nodes)
        return [self.node.name, *self.inner, *inside]


def merge_parallel(model: Model) -> Model:
    """The model in which neighbours in a concat of the channels are one layer, if they are equal but for their weights.

    1. They are convolutions, transposed ones or dense layers of one tensor, without groups, of equal
       windows; the same functions of each element may stand behind each.
    2. A concat that only another one along the same axis reads becomes part of it.
    3. The layer has the name of the first one. A layer stays where something else reads it, where it is
       a result, and where it shares its weights with one that does not merge likewise.

    It has as many multiply-adds, and nothing is left to copy.
    """
    graph = model.graph
    changed: dict[str, Node] = {}
    replaced: dict[str, str] = {}
    found: dict[str, Array] = {}
    notes: list[Note] = []
    for plan in _plans(graph):
        notes += (
            Note(_STEP, lane.nodes[0].name, False, f"stays: {lane.reason}") for lane in plan.apart
        )
        if not plan.changes:
            continue
        names = []
        for row in plan.rows:
            if isinstance(row, str):
                names.append(row)
                continue
            joined = _joined(graph, row)
            changed |= {node.name: node for node in joined}
            names.append(joined[-1].name)
            if model.weights is not None:
                found |= _weights(graph, row, joined[0], model.weights)
            for lane in row[1:]:
                replaced |= {node.name: names[-1] for node in lane.nodes}
                notes.append(Note(_STEP, lane.nodes[0].name, True, f"into `{joined[0].name}`"))
        name = plan.node.name
        replaced |= dict.fromkeys(plan.inner, names[0])
        notes += (Note(_STEP, inner, True, f"into `{name}`") for inner in plan.inner)
        if len(names) > 1:
            changed[name] = plan.node.model_copy(update={"inputs": tuple(names)})
        else:
            replaced[name] = names[0]
            notes.append(Note(_STEP, name, True, f"gone: `{names[0]}` gives it"))
    weights = None if model.weights is None else {**model.weights, **found}
    merged = rewrite(graph, changed, followed(replaced))
    return carry(model._replace(weights=weights), merged, notes)


def _plans(graph: Graph) -> list[_Plan]:
    """A plan for each concat in which something merges; for all uses of what is shared, or for none."""
    results = {output.node for output in graph.outputs}
    shared: set[str] = set()
    while True:
        plans = []
        within: set[str] = set()
        for node in reversed(graph.nodes):
            if isinstance(node.op, Concat) and node.name not in within | shared:
                plan = _plan(graph, node, results, shared)
                within.update(plan.inner)
                plans.append(plan)
        changes = [
            (plan.touched, tuple(_joined(graph, row)[0].op for row in plan.lanes))
            for plan in plans
            if plan.changes
        ]
        refused = unmatched(graph, changes)
        if not refused:
            return plans
        shared |= refused


def _plan(graph: Graph, node: Node, results: Collection[str], shared: Collection[str]) -> _Plan:
    inner: list[str] = []
    names: list[str] = []
    waiting = list(reversed(node.inputs))
    while waiting:
        name = waiting.pop()
        source = graph.by_name[name]
        own = name not in results and name not in shared and len(graph.readers[name]) == 1
        if source.op == node.op and own:
            inner.append(name)
            waiting += reversed(source.inputs)
        else:
            names.append(name)
    assert isinstance(node.op, Concat)
    if node.op.axis != "c":
        return _Plan(node, tuple(inner), tuple(names), ())
    lanes = [_lane(graph, name, results, shared) for name in names]
    rows: list[str | tuple[_Lane, ...]] = []
    apart: list[_Lane] = []
    for _, run in groupby(lanes, lambda lane: lane.likeness):
        alike = list(run)
        apart += (lane for lane in alike if lane.reason and len(alike) > 1)
        for free, row in groupby(alike, lambda lane: lane.is_free):
            members = tuple(row)
            single = not free or len(members) == 1
            rows += (lane.nodes[-1].name for lane in members) if single else (members,)
    return _Plan(node, tuple(inner), tuple(rows), tuple(apart))


def _lane(graph: Graph, name: str, results: Collection[str], shared: Collection[str]) -> _Lane:
    """The lane that ends in a node."""
    nodes: list[Node] = []
    reasons: list[str] = []
    while True:
        node = graph.by_name[name]
        nodes.append(node)
        if name in results:
            reasons.append("it is a result")
        if name in shared:
            reasons.append("another use of its weights does not merge so")
        if len(graph.readers[name]) > 1:
            reasons.append("something else reads it too")
        if isinstance(node.op, _Layer):
            if isinstance(node.op, Conv | ConvTranspose) and node.op.groups > 1:
                reasons.append("its groups would mix with those of another")
            return _Lane(tuple(reversed(nodes)), next(iter(reasons), None))
        if not node.op.elementwise:
            return _Lane((nodes[0],))
        (name,) = node.inputs


def _joined(graph: Graph, row: tuple[_Lane, ...]) -> list[Node]:
    """The nodes of the first lane, with the channels of all."""
    first = row[0]
    outputs = sum(lane.nodes[0].shape.axis("c") for lane in row)
    biased = any(lane.layer.bias for lane in row)
    shapes: tuple[Shape, ...] = graph.input_shapes(first.nodes[0])
    ops: list[Op] = [_with_outputs(first.layer, outputs, bias=biased)]
    ops += (node.op for node in first.nodes[1:])
    found = []
    for node, op in zip(first.nodes, ops, strict=True):
        shapes = (op.infer(*shapes),)
        found.append(node.model_copy(update={"op": op, "shape": shapes[0]}))
    return found


def _with_outputs(layer: _Layer, outputs: int, *, bias: bool) -> _Layer:
    """The layer with so many output channels, that starts in no special way."""
    count = "units" if isinstance(layer, Dense) else "filters"
    return layer.model_copy(update={count: outputs, "bias": bias, "init": None, "bias_init": None})


def _weights(
    graph: Graph, row: tuple[_Lane, ...], joined: Node, weights: Weights
) -> dict[str, Array]:
    """The weights of the layer that the lanes' layers become: theirs one behind another."""
    kernels = [read_kernel(lane.layer, weights, graph.owner(lane.nodes[0]).name) for lane in row]
    bias = None
    if any(kernel.bias is not None for kernel in kernels):
        own = (np.zeros(k.outputs) if k.bias is None else k.bias for k in kernels)
        bias = np.concatenate(list(own))
    kernel = Kernel(np.concatenate([kernel.weight for kernel in kernels], axis=1), bias)
    assert isinstance(joined.op, _Layer)
    return write_kernel(joined.op, kernel, graph.owner(joined).name)
