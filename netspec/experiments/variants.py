"""Other forms of a network: without some layers, with more of them, or in another order. Trains nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from netspec.compiler import parse
from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.ir import Graph, Node, Output
from netspec.ops import Op, Rejected, family_of, find
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.norm.batch import BatchNorm
from netspec.passes.rewrite import followed, rewrite
from netspec.passes.validate import validate


class Variant(NamedTuple):
    """A form of a network, and in words what is different."""

    name: str
    graph: Graph
    changes: tuple[str, ...] = ()


def without(graph: Graph, what: str) -> Variant:
    """The network without the layers that `what` names: an op, a family of ops, or a path.

    What stood behind a layer reads what the layer read, so it must keep the shape of its input. A linear layer
    that had no bias, because a batch norm followed, gets one when that goes. Raises `SpecError`.
    """
    groups = _chosen(graph, what)
    replaced: dict[str, str] = {}
    for group in groups:
        replaced |= dict.fromkeys(group, _bypass(graph, what, group))
    replaced = followed(replaced)
    biased = _biased(graph, replaced)
    changes = [f"without {name}" for group in groups for name in group]
    changes += [f"{name} has a bias now" for name in biased]
    changed = {
        node.name: node.model_copy(update={"op": node.op.model_copy(update={"bias": True})})
        for node in graph.nodes
        if graph.owner(node).name in biased
    }
    return _variant(f"without {what}", rewrite(graph, changed, replaced), changes)


def reordered(graph: Graph, order: str) -> Variant:
    """The network with layers that follow each other in this order: `activation,bn,dropout`.

    Only layers of the ops and families named move, and only among neighbours of one block, where each is the
    only reader of the one before it. Raises `SpecError`.
    """
    words = [word.strip() for word in order.split(",")]
    tests = [_matcher(word) for word in words]
    ranks: dict[str, int] = {}
    for node in graph.nodes:
        found = next((rank for rank, test in enumerate(tests) if test(node.op)), None)
        if found is not None and len(node.inputs) == 1:
            ranks[node.name] = found
    moved: dict[str, Node] = {}
    ends: dict[str, str] = {}
    changes = []
    slots = {node.name: node.name for node in graph.nodes}
    for chain in _chains(graph, ranks):
        row = sorted(chain, key=ranks.__getitem__)
        if row == chain:
            continue
        moved |= _relinked(graph, chain, row)
        ends[chain[-1]] = row[-1]
        slots |= dict(zip(chain, row, strict=True))
        changes.append(" -> ".join(row))
    if not moved:
        message = f"nothing in `{graph.name}` changes in the order `{order}`"
        raise SpecError(Diagnostic("no-variant", message))
    nodes = []
    for node in graph.nodes:
        stands = slots[node.name]
        kept = moved.get(stands) or _reading(graph.by_name[stands], ends)
        nodes.append(kept)
    return _variant(f"order {','.join(words)}", _rebuilt(graph, nodes, ends), changes)


def added(graph: Graph, text: str) -> Variant:
    """The network with more layers behind some: `relu: dropout 0.3` puts a dropout behind each relu.

    Before the colon stands what `without` takes; behind it are steps of the language that keep the shape.
    Raises `SpecError`.
    """
    what, colon, steps = text.partition(":")
    if not colon or not steps.strip():
        help_ = "it is written `relu: dropout 0.3`"
        raise SpecError(Diagnostic("bad-variant", f"`{text}` adds nothing", help=help_))
    behind: dict[str, list[Node]] = {}
    for group in _chosen(graph, what.strip()):
        node = graph.by_name[group[-1]]
        behind[node.name] = _spliced(graph, node, steps.strip())
    ends = {name: row[-1].name for name, row in behind.items()}
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.append(_reading(node, ends))
        nodes += behind.get(node.name, [])
    changes = [f"{row[-1].op.kind} behind {name}" for name, row in behind.items()]
    return _variant(f"with {text}", _rebuilt(graph, nodes, ends), changes)


def _variant(name: str, graph: Graph, changes: Iterable[str]) -> Variant:
    validate(graph)
    return Variant(name, graph, tuple(changes))


def _matcher(word: str) -> Callable[[Op], bool]:
    """Whether an op is of this name, or else of the family of this name."""
    named = find(word)
    if named is not None:
        return lambda op: isinstance(op, named)
    return lambda op: family_of(type(op)) == word


def _chosen(graph: Graph, what: str) -> list[tuple[str, ...]]:
    """The layers that a word names, a group for each that goes or stays as a whole."""
    if what in graph.by_name:
        owner = graph.owner(graph.by_name[what]).name
        return [(node.name,) for node in graph.nodes if graph.owner(node).name == owner]
    if any(scope.path == what for scope in graph.scopes):
        return [tuple(n.name for n in graph.nodes if n.name.startswith(f"{what}."))]
    test = _matcher(what)
    found: list[tuple[str, ...]] = [(n.name,) for n in graph.nodes if test(n.op) and n.inputs]
    if found:
        return found
    kinds = {node.op.kind for node in graph.nodes}
    kinds |= {family for node in graph.nodes if (family := family_of(type(node.op)))}
    known = [*kinds, *graph.by_name, *(scope.path for scope in graph.scopes)]
    help_ = did_you_mean(what, known) or f"its ops are {', '.join(sorted(kinds))}"
    message = f"`{graph.name}` has no op, family, layer or block `{what}`"
    raise SpecError(Diagnostic("no-variant", message, help=help_))


def _bypass(graph: Graph, what: str, group: Sequence[str]) -> str:
    """The node that stands for a group which goes: the one that it reads, where it keeps the shape of that."""
    inside = set(group)
    outputs = {output.node for output in graph.outputs}
    read = {name for member in group for name in graph.by_name[member].inputs} - inside
    left = [n for n in group if n in outputs or not inside.issuperset(graph.readers[n])]
    if len(read) == 1 and len(left) == 1:
        (source,) = read
        before, after = graph.by_name[source].shape, graph.by_name[left[0]].shape
        if before == after:
            return source
        why = f"it makes {after} of {before}"
    else:
        why = f"it reads {len(read)} tensors and gives {len(left)}"
    message = f"`{what}` cannot be left out: at `{group[0]}` {why}"
    raise SpecError(Diagnostic("no-variant", message))


def _biased(graph: Graph, replaced: Mapping[str, str]) -> list[str]:
    """The linear layers that lose the batch norm which was their bias, by their owners' names."""
    found: dict[str, None] = {}
    for name in replaced:
        node = graph.by_name[name]
        if isinstance(node.op, BatchNorm):
            layer = graph.by_name[node.inputs[0]]
            if not isinstance(layer.op, Conv | ConvTranspose | Dense) or layer.op.bias:
                continue
            if len(graph.readers[layer.name]) == 1:
                found[graph.owner(layer).name] = None
    return list(found)


def _chains(graph: Graph, ranks: Mapping[str, int]) -> list[list[str]]:
    """The longest rows of ranked layers of one block, each the only reader of the one before."""
    outputs = {output.node for output in graph.outputs}

    def following(name: str) -> str | None:
        readers = graph.readers[name]
        if name in outputs or len(readers) != 1 or readers[0] not in ranks:
            return None
        same = name.rpartition(".")[0] == readers[0].rpartition(".")[0]
        return readers[0] if same else None

    inner = {following(name) for name in ranks}
    rows = []
    for name in (node.name for node in graph.nodes if node.name in ranks):
        if name not in inner:
            row = [name]
            while (after := following(row[-1])) is not None:
                row.append(after)
            rows.append(row)
    return rows


def _relinked(graph: Graph, chain: Sequence[str], row: Sequence[str]) -> dict[str, Node]:
    """The nodes of a chain in another order, each with the shape that it has there."""
    (source,) = graph.by_name[chain[0]].inputs
    shape = graph.by_name[source].shape
    nodes = {}
    for name in row:
        node = graph.by_name[name]
        try:
            after = node.op.infer(shape)
        except Rejected as rejected:
            message = f"`{name}` cannot stand before `{row[-1]}`: {rejected.message}"
            raise SpecError(Diagnostic("no-variant", message)) from None
        nodes[name] = node.model_copy(update={"inputs": (source,), "shape": after})
        source, shape = name, after
    if shape != graph.by_name[chain[-1]].shape:
        message = f"in the order {', '.join(row)} the result is {shape}"
        raise SpecError(Diagnostic("no-variant", message))
    return nodes


def _reading(node: Node, ends: Mapping[str, str]) -> Node:
    """The node, with what it reads renamed."""
    if not any(name in ends for name in node.inputs):
        return node
    return node.model_copy(update={"inputs": tuple(ends.get(n, n) for n in node.inputs)})


def _spliced(graph: Graph, node: Node, steps: str) -> list[Node]:
    """These steps as nodes behind a node."""
    small = parse(steps, name="--add", input_shape=node.shape.sizes)
    first, *others = small.nodes
    if not others or others[-1].shape.sizes != node.shape.sizes or len(small.outputs) != 1:
        message = f"`{steps}` behind `{node.name}` must give {node.shape}, as what it is given"
        raise SpecError(Diagnostic("bad-variant", message))

    def renamed(stem: str, name: str) -> str:
        return stem if name == first.name else f"{stem}_{name.replace('.', '_')}"

    names = {renamed(node.name, other.name) for other in others}
    if taken := names & graph.by_name.keys():
        raise SpecError(Diagnostic("bad-variant", f"`{min(taken)}` is there already"))
    return [
        other.model_copy(
            update={
                "name": renamed(node.name, other.name),
                "inputs": tuple(renamed(node.name, name) for name in other.inputs),
                "shape": node.shape if other.shape.sizes == node.shape.sizes else other.shape,
                "shares": node.shares and renamed(node.shares, other.name),
            }
        )
        for other in others
    ]


def _rebuilt(graph: Graph, nodes: Sequence[Node], ends: Mapping[str, str]) -> Graph:
    outputs = [Output(name=o.name, node=ends.get(o.node, o.node)) for o in graph.outputs]
    update = {"nodes": tuple(nodes), "outputs": tuple(outputs)}
    return Graph(**{**{name: getattr(graph, name) for name in Graph.model_fields}, **update})
