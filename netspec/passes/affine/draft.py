"""A network while maps move through it: its readers and weights as they are now. Knows no op by name."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from netspec.ir import Node, weight_path
from netspec.ops import Op
from netspec.passes import Model, Note
from netspec.passes.affine.absorb import Absorbed, Layer
from netspec.passes.affine.maps import Map, read_map
from netspec.passes.rewrite import carry, followed, rewrite
from netspec.passes.uses import uses_by_owner
from netspec.shape import Shape
from netspec.sharing import places

if TYPE_CHECKING:
    from netspec.weights import Array, Weights

_LISTED = 3
"""How many layers are named."""


class Plan(NamedTuple):
    """A rewrite that is possible: what the layers that take a map become, and which nodes go."""

    changed: Mapping[str, Absorbed]
    dropped: tuple[str, ...]
    parted: tuple[str, ...] = ()
    """The owners of weights that are to be copied, so that each place has its own."""

    @property
    def where(self) -> str:
        """The layers, in words."""
        names = [f"`{name}`" for name in self.changed]
        if len(names) > _LISTED:
            names = [*names[: _LISTED - 1], f"{len(names) - _LISTED + 1} others"]
        *most, last = names
        return f"{', '.join(most)} and {last}" if most else last


class Draft:
    """A model that is being rewritten step by step, each by a `Plan`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        graph = model.graph
        self.notes: list[Note] = []
        self.order = {node.name: place for place, node in enumerate(graph.nodes)}
        self.uses = {
            owner: [node.name for node in nodes] for owner, nodes in uses_by_owner(graph).items()
        }
        self.owners = {name: owner for owner, names in self.uses.items() for name in names}
        self.results = {output.node for output in graph.outputs}
        self.readers = {name: list(dict.fromkeys(found)) for name, found in graph.readers.items()}
        self._inputs = {node.name: node.inputs for node in graph.nodes}
        self._ops: dict[str, Op] = {}
        self._dropped: dict[str, str] = {}
        self._parted: set[str] = set()
        self._written: dict[str, Array] = {}
        self.weights: Weights | None = (
            None if model.weights is None else ChainMap(self._written, dict(model.weights))
        )

    def nodes(self) -> Iterator[Node]:
        """The nodes that are left, with the ops that they were given with."""
        return (node for node in self.model.graph.nodes if node.name not in self._dropped)

    def op(self, name: str) -> Op:
        """A node's op as it is now."""
        return self._ops.get(name) or self.model.graph.by_name[name].op

    def inputs(self, name: str) -> tuple[str, ...]:
        """The nodes that a node reads now."""
        return self._inputs[name]

    def shape(self, name: str) -> Shape:
        """The shape of a node's value."""
        return self.model.graph.by_name[name].shape

    def layer(self, name: str) -> Layer:
        """A node with the tensors around it."""
        inputs = tuple(self.shape(source) for source in self.inputs(name))
        return Layer(self.op(name), inputs, self.shape(name), self.owners[name])

    def map(self, name: str) -> Map:
        """The map that a node of `MAPS` is. Raises `Blocked`."""
        return read_map(self.op(name), self.shape(name), self.weights, self.owners[name])

    def can_part(self, owner: str) -> bool:
        """Whether each place where a layer is used may get weights of its own: it is shared alone, and not tied."""
        return all(
            places(name, owner) == (name, owner) and not self.op(name).borrows
            for name in self.uses[owner]
            if name != owner
        )

    def apply(self, plan: Plan) -> None:
        """Rewrite the network so."""
        stems = {name: self.owners[name] for name in plan.changed}
        for owner in plan.parted:
            self._part(owner)
        for name, absorbed in plan.changed.items():
            self._ops[name] = absorbed.op
            for path, array in absorbed.weights.items():
                self._written[self.owners[name] + path.removeprefix(stems[name])] = array
        for name in plan.dropped:
            self._drop(name)

    def _part(self, owner: str) -> None:
        """Give each place where a layer is used its weights."""
        layer = self.layer(owner)
        names = [weight.name for weight in layer.op.weights(*layer.inputs)]
        for name in self.uses[owner][1:]:
            self._parted.add(name)
            self.owners[name], self.uses[name] = name, [name]
            if self.weights is not None:
                for each in names:
                    path = weight_path(owner, each)
                    self._written[weight_path(name, each)] = self.weights[path]
        self.uses[owner] = [owner]

    def _drop(self, name: str) -> None:
        """Let the readers of a node read what it reads."""
        (source,) = self._inputs[name]
        self._dropped[name] = source
        rest = [reader for reader in self.readers[source] if reader != name]
        self.readers[source] = list(dict.fromkeys([*rest, *self.readers[name]]))
        for reader in self.readers.pop(name):
            inputs = self._inputs[reader]
            self._inputs[reader] = tuple(source if each == name else each for each in inputs)
        if name in self.results:
            self.results.add(source)

    def finish(self) -> Model:
        """The model as it is now; the given one where nothing changed."""
        graph = self.model.graph
        if not self._ops and not self._dropped:
            return carry(self.model, graph, self.notes)
        changed = {
            name: self._node(name)
            for name in (*self._ops, *self._parted)
            if name not in self._dropped
        }
        graph = rewrite(graph, changed, followed(self._dropped))
        return carry(self.model._replace(weights=self.weights), graph, self.notes)

    def _node(self, name: str) -> Node:
        node = self.model.graph.by_name[name]
        shares = None if name in self._parted else node.shares
        return node.model_copy(update={"op": self.op(name), "shares": shares})
