"""A flat graph -> the blocks it was written with: parts inside parts, in order. Knows nothing of any framework."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from netspec.ir import Graph, Node
from netspec.shape import Shape
from netspec.sharing import mirrors, places


@dataclass
class Part:
    """One instance of a block, one group, or (with the path "") the whole network.

    `inputs` are the values from outside in the order of their first use, `outputs` the values that
    are used outside. `local` is its name inside the part around it. A later use of a shared part has
    for `owner` the local name of an earlier one, in the same part around them; all that is in the two
    corresponds. A backend may gather items of a part: then `stage_of` is the path of that part, to which the
    items' local names belong.
    """

    path: str
    local: str = ""
    block: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    owner: str | None = None
    stage_of: str | None = None

    def nodes(self) -> Iterator[Node]:
        """All nodes in it, those of inner parts included."""
        for item in self.items:
            if isinstance(item, Part):
                yield from item.nodes()
            else:
                yield from (item.node, *item.also)


class Leaf(NamedTuple):
    """One node in its place. Where it shares or borrows, `owner` is the local name of the other.

    A backend that computes several nodes in one step puts the others into `also`.
    """

    node: Node
    local: str
    owner: str | None = None
    also: tuple[Node, ...] = ()

    @property
    def path(self) -> str:
        """The node's path."""
        return self.node.name

    @property
    def inputs(self) -> Sequence[str]:
        """The values it reads."""
        return self.node.inputs

    @property
    def outputs(self) -> Sequence[str]:
        """The values it gives."""
        return (self.node.name, *(node.name for node in self.also))


Item: TypeAlias = "Part | Leaf"


def outline(graph: Graph, *, groups: bool) -> Part:
    """The network as nested parts.

    `groups` keeps labelled groups as parts of their own; otherwise only blocks are, and what stands
    in a group belongs to the part around it under a dotted local name. Shared groups always are parts.
    What is not in one piece in the order of the nodes never is a part, nor what works with the weights
    of a layer outside, nor is a group of numbers with gaps. But layers without label and weights that
    interrupt a group belong to it. Inputs of the network are the root's `inputs`.
    """
    root = Part(path="")
    layers = [node for node in graph.nodes if node.op.kind != "input"]
    again = _again(graph)
    adopted = dict(_adopted(graph, layers)) if groups else {}
    paths = {node.name: adopted.get(node.name, node.name) for node in layers}
    _fill(root, layers, _containers(graph, groups, again, paths), again, paths, depth=0)
    _connect(root, graph)
    return root


def _again(graph: Graph) -> dict[str, str]:
    """For each later use of a shared scope the use that it shares with."""
    found: dict[str, str] = {}
    for node in graph.nodes:
        pair = places(node.name, node.shares or "") if mirrors(graph, node) else None
        if pair is not None and pair[0] != node.name:
            found[pair[0]] = pair[1]
    return found


def _mirrored(path: str, again: Mapping[str, str]) -> str | None:
    """What a path below a later use corresponds to, in the use that it shares with."""
    for prefix in (*_prefixes(path), path):
        if prefix in again:
            return again[prefix] + path[len(prefix) :]
    return None


def _adopted(graph: Graph, layers: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """Where in a group what has no label belongs: layers of one tensor, without weights or twins, between its own.

    They fill the gaps of a group of numbers where they fit in exactly; else they keep their names.
    """
    spans: dict[str, list[int]] = {}
    for i, node in enumerate(layers):
        for prefix in _prefixes(node.name):
            spans.setdefault(prefix, []).append(i)
    blocks = {scope.path for scope in graph.scopes if scope.block is not None}
    related = {name for node in layers if node.shares for name in (node.name, node.shares)}
    for path, members in spans.items():
        span = layers[members[0] : members[-1] + 1]
        if path in blocks or any(n.name in related for n in span):
            continue
        outer = path.rpartition(".")[0]
        strangers = [node for node in span if not node.name.startswith(f"{path}.")]
        if not all(_is_guest(graph, node, outer) for node in strangers):
            continue
        guests = [node for node in span if node in strangers or _is_guest(graph, node, path)]
        own = {node.name[len(path) + 1 :].split(".")[0] for node in span if node not in guests}
        added = {node.name: node.name.rpartition(".")[2] for node in guests}
        if not guests or own & {*added.values()} or len({*added.values()}) < len(guests):
            continue
        names = list(
            dict.fromkeys(
                added.get(node.name) or node.name[len(path) + 1 :].split(".")[0] for node in span
            )
        )
        counts = any(label.isdigit() for label in own)
        fits = all(not name.isdigit() or int(name) == i for i, name in enumerate(names))
        if counts and not fits and not _is_chain(graph, span):
            continue
        for node in guests:
            name = added[node.name]
            local = str(names.index(name)) if counts and fits else name
            yield node.name, f"{path}.{local}"


def _is_guest(graph: Graph, node: Node, outer: str) -> bool:
    around, _, local = node.name.rpartition(".")
    unlabelled = re.fullmatch(rf"{node.op.kind}[0-9]+", local) is not None
    alone = len(node.inputs) == 1 and not graph.weights_of(node)
    return around == outer and unlabelled and alone


def _is_chain(graph: Graph, span: Sequence[Node]) -> bool:
    """Whether each reads the one before it, and alone does."""
    return all(
        list(node.inputs) == [before.name] and len(graph.readers[before.name]) == 1
        for before, node in pairwise(span)
    )


def _containers(
    graph: Graph, groups: bool, again: Mapping[str, str], paths: Mapping[str, str]
) -> dict[str, tuple[str | None, dict[str, Any]]]:
    """The paths that become parts, with block and arguments."""
    found: dict[str, tuple[str | None, dict[str, Any]]] = {
        scope.path: (scope.block, scope.arguments) for scope in graph.scopes
    }
    kept = {path for pair in again.items() if found.keys() >= {*pair} for path in pair}
    runs: dict[str, int] = {}
    previous: list[str] = []
    for path in paths.values():
        prefixes = _prefixes(path)
        for prefix in prefixes:
            if prefix not in previous:
                runs[prefix] = runs.get(prefix, 0) + 1
        previous = prefixes
    whole = {path: found.get(path, (None, {})) for path, count in runs.items() if count == 1}
    completed = {path.rpartition(".")[0] for name, path in paths.items() if path != name}
    gaps = _with_gaps([*runs, *paths.values()]) - completed
    whole = {path: of for path, of in whole.items() if of[0] or path not in gaps}
    for node in graph.nodes:
        if node.shares is not None and not mirrors(graph, node):
            for path in {*_prefixes(node.name)} ^ {*_prefixes(node.shares)}:
                whole.pop(path, None)
    twins = [(path, twin) for path in runs if (twin := _mirrored(path, again)) is not None]
    while torn := [pair for pair in twins if len(whole.keys() & {*pair}) == 1]:
        for path in {path for pair in torn for path in pair}:
            whole.pop(path, None)
    return {
        path: (block, given)
        for path, (block, given) in whole.items()
        if groups or block or path in kept
    }


def _with_gaps(paths: Iterable[str]) -> set[str]:
    """The scopes whose items are numbers, but not 0, 1, 2 ...: places in a list that has others too."""
    items: dict[str, set[str]] = {}
    for path in paths:
        outer, _, local = path.rpartition(".")
        items.setdefault(outer, set()).add(local)
    return {
        path
        for path, names in items.items()
        if any(name.isdigit() for name in names) and names != set(map(str, range(len(names))))
    }


def _prefixes(path: str) -> list[str]:
    return [path[:i] for i, character in enumerate(path) if character == "."]


def _fill(
    part: Part,
    nodes: list[Node],
    containers: dict[str, tuple[str | None, dict[str, Any]]],
    again: Mapping[str, str],
    paths: Mapping[str, str],
    depth: int,
) -> None:
    """Distribute nodes over the part's items; `depth` is the length of the part's own prefix."""
    current: Part | None = None
    inside: list[Node] = []
    for node in nodes:
        home = next(
            (p for p in _prefixes(paths[node.name]) if len(p) >= depth and p in containers), None
        )
        if current is not None and home != current.path:
            _fill(current, inside, containers, again, paths, len(current.path) + 1)
            current = None
        if home is None:
            owner = _beside(node.name, node.shares, depth)
            part.items.append(Leaf(node, paths[node.name][depth:], owner))
            continue
        if current is None:
            block, arguments = containers[home]
            owner = _beside(home, _mirrored(home, again), depth)
            current, inside = Part(home, home[depth:], block, arguments, owner=owner), []
            part.items.append(current)
        inside.append(node)
    if current is not None:
        _fill(current, inside, containers, again, paths, len(current.path) + 1)


def _beside(path: str, twin: str | None, depth: int) -> str | None:
    """The local name of a path's twin in the same part; what lies in a later use needs none of its own."""
    return twin[depth:] if twin is not None and twin[:depth] == path[:depth] else None


def _connect(root: Part, graph: Graph) -> None:
    """Find what each part reads from outside and gives to it."""
    results = {output.node for output in graph.outputs}

    def visit(part: Part) -> set[str]:
        own: set[str] = set()
        for item in part.items:
            own |= visit(item) if isinstance(item, Part) else {item.path}
        _agree_on_outputs(part)
        reads = (source for item in part.items for source in item.inputs)
        part.inputs = list(dict.fromkeys(source for source in reads if source not in own))
        last = [
            name
            for name in own
            if name in results or any(reader not in own for reader in graph.readers[name])
        ]
        order = {node.name: i for i, node in enumerate(part.nodes())} if len(last) > 1 else {}
        part.outputs = sorted(last, key=lambda name: order.get(name, 0))
        return own

    visit(root)
    root.inputs = [node.name for node in graph.inputs]
    root.outputs = [output.node for output in graph.outputs]


def _agree_on_outputs(part: Part) -> None:
    """Give all uses of a shared part the outputs that any of them has."""
    uses: dict[str, list[Part]] = {}
    for item in part.items:
        if isinstance(item, Part):
            same = [] if item.owner is None else uses[item.owner]
            same.append(item)
            uses[item.local] = same
    for same in uses.values():
        if len(same) > 1:
            wanted = {name[len(each.path) :] for each in same for name in each.outputs}
            for each in same:
                names = (node.name for node in each.nodes())
                each.outputs = [name for name in names if name[len(each.path) :] in wanted]


def shape_after(graph: Graph, item: Item) -> Shape:
    """The shape of an item's (first) result."""
    return graph.by_name[item.outputs[0]].shape
