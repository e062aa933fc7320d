"""Holds sequences with their channels first where windows move over them. For targets whose windows want that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from netspec.ir import Graph, Node, Output
from netspec.ops.permute import Permute
from netspec.passes import Model
from netspec.passes.layout_cut import Cut
from netspec.passes.validate import parents
from netspec.sharing import mirrors, places

_ORDERS = ("tc", "ct")
Order: TypeAlias = str
"""`tc` or `ct`; in a `Cut` also `/` and a node's name, for the order that is chosen for it."""


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
        return f"/{node.name}"  # no node's name stands for an order

    def _choose(self) -> None:
        """Put an order in the place of every name that stands for one."""
        cut = Cut(*_ORDERS)
        for name, readings in self.wanted.items():
            free = self._variable(self.before.by_name[name])
            for number, (value, order) in enumerate(readings):
                cut.read(value, self.native[value], order, is_first=number == 0 and order == free)
        for output in self.before.outputs:
            if output.node in self.original:
                value = self.original[output.node]
                cut.read(value, self.native[value], self._axes(output.node))
        chosen = cut.layouts()
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
