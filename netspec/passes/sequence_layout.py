"""Holds sequences with their channels first where windows move over them. For targets whose windows want that."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from netspec.ir import Graph, Node, Output
from netspec.ops.permute import Permute
from netspec.passes import Model
from netspec.passes.validate import parents
from netspec.sharing import mirrors, places

_ORDERS = ("tc", "ct")
Order: TypeAlias = str
"""`tc` or `ct`; in a `_Cut` also a node's name, for the order that is chosen for it."""


def sequence_layout(model: Model) -> Model:
    """The model with every sequence in the order that its readers want, `t c` or `c t`.

    1. Ops whose `layout` is `fixed` take and give the order of the spec, as the network's inputs and
       results do; those of `channels_first` take and give `c t`; those of `any` give what they take.
    2. A conversion is a `permute`. A value is converted at most once, and no choice of the orders
       of `any` needs fewer conversions. Of equal choices, ops keep the order of their first input.
    3. A conversion stands in the innermost scope that holds the value's node and its first reader,
       before the item of that scope which reads it.
    4. The spec's own conversions between the two orders are part of the choice.
    5. A network without windows over sequences stays as it is.
    6. All uses of a shared layer take and give the same orders.

    The network computes the same. The shapes in it are no longer those of a spec; doing it once more
    changes nothing.
    """
    graph = model.graph
    if not any(
        node.op.layout == "channels_first" and _is_sequence(graph, node) for node in graph.nodes
    ):
        return model
    return Model(_Conversion(graph).graph(), model.weights)


def _is_sequence(graph: Graph, node: Node) -> bool:
    return any(shape.axes in _ORDERS for shape in graph.input_shapes(node))


class _Reading(NamedTuple):
    """A value and the order in which it is wanted."""

    value: str
    order: Order


class _Conversion:
    """One graph, with the order chosen for every sequence in it."""

    def __init__(self, graph: Graph) -> None:
        self.before = graph
        self.original = _without_conversions(graph)
        """For each sequence the node that it comes from when the spec's own conversions are left out."""
        self.native: dict[str, Order] = {}
        """The order in which each of these nodes gives its value."""
        self.wanted: dict[str, list[_Reading]] = {}
        """What each node reads: its sequences, and in which order."""
        self._collect()
        self._choose()

    def _collect(self) -> None:
        for node in self.before.nodes:
            if self.original.get(node.name, node.name) != node.name:
                continue
            sources = [name for name in node.inputs if name in self.original]
            wants = node.op.layout if sources else "fixed"
            free = self._variable(node)
            self.wanted[node.name] = [
                _Reading(
                    self.original[name],
                    {
                        "fixed": self.before.by_name[name].shape.axes,
                        "any": free,
                        "channels_first": "ct",
                    }[wants],
                )
                for name in sources
            ]
            if node.name in self.original:
                own = {"fixed": node.shape.axes, "any": free, "channels_first": "ct"}
                self.native[node.name] = own[wants]

    def _variable(self, node: Node) -> str:
        """The name that stands for the order of a node: of all uses of a shared layer the first one's."""
        while node.shares is not None and mirrors(self.before, node):
            node = self.before.by_name[node.shares]
        return node.name

    def _choose(self) -> None:
        """Put an order in the place of every name that stands for one."""
        cut = _Cut()
        for name, readings in self.wanted.items():
            free = self._variable(self.before.by_name[name])
            for number, (value, order) in enumerate(readings):
                cut.read(value, self.native[value], order, is_first=number == 0 and order == free)
        for output in self.before.outputs:
            if output.node in self.original:
                value = self.original[output.node]
                cut.read(value, self.native[value], self._axes(output.node))
        chosen = cut.orders()
        for name, order in self.native.items():
            self.native[name] = chosen.get(order, order)
        for name, readings in self.wanted.items():
            self.wanted[name] = [
                _Reading(value, chosen.get(order, order)) for value, order in readings
            ]

    def _axes(self, name: str) -> str:
        return self.before.by_name[name].shape.axes

    def graph(self) -> Graph:
        """The graph in the chosen orders."""
        placed = _Places(self.before, self.original)
        converted: dict[str, str] = {}
        nodes: dict[str, Node] = {}
        outputs: list[Output] = []

        def read(value: str, order: Order, reader: str | None) -> str:
            if self.native[value] == order:
                return value
            if value not in converted:
                shape = nodes[value].shape.in_order(order)
                name = placed.between(value, reader)
                converted[value] = name
                twin = converted.get(nodes[value].shares or "")
                same = twin is not None and places(name, twin) == places(
                    value, nodes[value].shares or ""
                )
                nodes[name] = Node(
                    name=name,
                    op=Permute(axes=order),
                    inputs=(value,),
                    shape=shape,
                    shares=twin if same else None,
                )
            return converted[value]

        for node in self.before.nodes:
            if node.name not in self.wanted:
                continue
            readings = iter(self.wanted[node.name])
            inputs = tuple(
                read(*next(readings), node.name) if name in self.original else name
                for name in node.inputs
            )
            shape = node.shape
            if node.name in self.native:
                shape = shape.in_order(self.native[node.name])
            nodes[node.name] = node.model_copy(update={"inputs": inputs, "shape": shape})
        for output in self.before.outputs:
            name = output.node
            if name in self.original:
                name = read(self.original[name], self._axes(name), None)
            outputs.append(Output(name=output.name, node=name))
        gone = self.before.by_name.keys() - nodes.keys()
        return self.before.having(
            nodes=placed.in_order(nodes),
            outputs=tuple(outputs),
            positions={path: at for path, at in self.before.positions.items() if path not in gone},
        )


def _without_conversions(graph: Graph) -> dict[str, str]:
    original: dict[str, str] = {}
    for node in graph.nodes:
        if node.shape.axes in _ORDERS:
            is_conversion = isinstance(node.op, Permute) and node.inputs[0] in original
            original[node.name] = original[node.inputs[0]] if is_conversion else node.name
    return original


class _Places:
    """Names and places of conversions."""

    def __init__(self, graph: Graph, original: Mapping[str, str]) -> None:
        kept = [
            node.name for node in graph.nodes if original.get(node.name, node.name) == node.name
        ]
        self._kept = kept
        self._first: dict[str, int] = {}
        """Where each path, and what is below it, begins."""
        for index, name in enumerate(kept):
            for path in (*parents(name), name):
                self._first.setdefault(path, index)
        self._taken = {*self._first, *(scope.path for scope in graph.scopes)}
        self._before: dict[int, list[str]] = {}
        self._counts: Counter[str] = Counter()

    def between(self, value: str, reader: str | None) -> str:
        """A free name for the conversion of a value for its first reader, or for a result of the network."""
        own, other = value.split("."), (reader or "").split(".")
        depth = 0
        while depth < min(len(own), len(other)) - 1 and own[depth] == other[depth]:
            depth += 1
        place = len(self._kept)
        if reader is not None:
            place = self._first[".".join(other[: depth + 1])]
        place = max(place, self._first[value] + 1)
        prefix = "".join(f"{part}." for part in own[:depth])
        self._before.setdefault(place, []).append(name := self._fresh(prefix))
        return name

    def _fresh(self, prefix: str) -> str:
        while True:
            self._counts[prefix] += 1
            name = f"{prefix}{Permute.kind}{self._counts[prefix]}"
            if name not in self._taken:
                return name

    def in_order(self, nodes: Mapping[str, Node]) -> tuple[Node, ...]:
        """All nodes, each conversion in its place."""
        names: list[str] = []
        for index in range(len(self._kept) + 1):
            names += self._before.get(index, ())
            names += self._kept[index : index + 1]
        return tuple(nodes[name] for name in names)


class _Cut:
    """The choice of orders as a minimum cut: what ends on the side of `tc` has that order.

    An edge cut between two orders is a conversion. A value with several readers is converted for all of
    them at once: their edges meet in a vertex of their own.
    """

    def __init__(self) -> None:
        self._readers: dict[str, tuple[Order, set[Order]]] = {}
        self._kin: list[tuple[Order, Order]] = []

    def read(self, value: str, native: Order, order: Order, is_first: bool = False) -> None:
        """Some op, or a result, reads a value in an order."""
        self._readers.setdefault(value, (native, set()))[1].add(order)
        if is_first:
            self._kin.append((native, order))

    def orders(self) -> dict[str, Order]:
        """An order for every name that stands for one."""
        chosen: dict[str, Order] = {}
        for group in self._components():
            chosen.update(group.solve())
        return chosen

    def _components(self) -> Iterable[_Flow]:
        """What has no influence on each other, apart: the time of a cut grows faster than its size."""
        leader: dict[str, str] = {}

        def find(name: str) -> str:
            while leader.setdefault(name, name) != name:
                leader[name] = name = leader.setdefault(leader[name], leader[name])
            return name

        free: dict[str, list[str]] = {}
        for value, (native, wanted) in self._readers.items():
            free[value] = [name for name in (native, *sorted(wanted)) if name not in _ORDERS]
            for name in free[value]:
                leader[find(name)] = find(free[value][0])
        flows: dict[str, _Flow] = {}
        for value, (native, wanted) in self._readers.items():
            if free[value]:
                flow = flows.setdefault(find(free[value][0]), _Flow())
                flow.value(value, native, wanted)
        for native, order in self._kin:
            flows[find(order)].prefer(native, order)
        return flows.values()


class _Flow:
    """A network of capacities from `tc` to `ct`, and the cut of least capacity that parts them."""

    def __init__(self) -> None:
        self._readings: list[tuple[str, Order, set[Order]]] = []
        self._kin: list[tuple[Order, Order]] = []
        self._capacity: dict[str, dict[str, int]] = {}

    def value(self, value: str, native: Order, wanted: set[Order]) -> None:
        """A value whose conversion counts once, whoever wants it."""
        self._readings.append((value, native, wanted))

    def prefer(self, a: Order, b: Order) -> None:
        """Of choices with equally many conversions, one where these two are the same."""
        self._kin.append((a, b))

    def solve(self) -> Iterator[tuple[str, Order]]:
        """The order of every free name."""
        cost = len(self._kin) + 1
        for value, native, wanted in self._readings:
            late, early = f"{value}>", f"{value}<"
            self._edge(native, late, cost)
            self._edge(early, native, cost)
            for order in sorted(wanted):
                self._edge(late, order, cost)
                self._edge(order, early, cost)
        for a, b in self._kin:
            self._edge(a, b, 1)
            self._edge(b, a, 1)
        while path := self._augmenting():
            room = min(self._capacity[a][b] for a, b in path)
            for a, b in path:
                self._edge(a, b, -room)
                self._edge(b, a, room)
        reached = self._reached()
        names = {name for _, native, wanted in self._readings for name in (native, *wanted)}
        for name in sorted(names.difference(_ORDERS)):
            yield name, "tc" if name in reached else "ct"

    def _edge(self, a: str, b: str, capacity: int) -> None:
        self._capacity.setdefault(b, {}).setdefault(a, 0)
        edges = self._capacity.setdefault(a, {})
        edges[b] = edges.get(b, 0) + capacity

    def _reached(self) -> dict[str, str]:
        """What `tc` reaches over edges that have room, each with the vertex before it."""
        reached = {"tc": "tc"}
        waiting = deque(["tc"])
        while waiting and "ct" not in reached:
            vertex = waiting.popleft()
            for following, room in self._capacity.get(vertex, {}).items():
                if room > 0 and following not in reached:
                    reached[following] = vertex
                    waiting.append(following)
        return reached

    def _augmenting(self) -> list[tuple[str, str]]:
        """The edges of a shortest path with room from `tc` to `ct`."""
        reached = self._reached()
        path: list[tuple[str, str]] = []
        vertex = "ct"
        while vertex in reached and vertex != "tc":
            path.append((reached[vertex], vertex))
            vertex = reached[vertex]
        return path
