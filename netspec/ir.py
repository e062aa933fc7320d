"""The intermediate representation: a flat, shaped, immutable graph that remembers which blocks it came from."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, SerializationInfo

from netspec.ops import Op, Weight, find
from netspec.shape import Shape
from netspec.source import Position

SCHEMA_VERSION = 1

_CONFIG = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


def _revive(value: Any) -> Any:
    """An op from its JSON form, by its `kind`."""
    if not isinstance(value, Mapping):
        return value
    import json  # of no use where no graph is read

    fields = dict(value)
    kind = fields.pop("kind", None)
    op = find(kind) if isinstance(kind, str) else None
    if op is None or op.kind != kind:
        raise ValueError(f"unknown op kind {kind!r}")
    return op.model_validate_json(json.dumps(fields))


def _with_kind(op: Op, info: SerializationInfo) -> dict[str, Any]:
    """What `_revive` takes."""
    return {"kind": op.kind, **op.model_dump(mode=info.mode)}


def _frozen(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(value, Mapping):
        return {name: _frozen(each) for name, each in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


AnyOp = Annotated[Op, BeforeValidator(_revive), PlainSerializer(_with_kind)]


class Node(BaseModel):
    """One op applied to the results of other nodes. `name` is its path, and the stem of its weights' names.

    A node with `shares` has no weights of its own: it works with those of that earlier node, which may
    share in its turn. The op is the same kind of layer in another place, or one that `borrows`.
    """

    model_config = _CONFIG

    name: str
    op: AnyOp
    inputs: tuple[str, ...] = ()
    shape: Shape
    shares: str | None = None


def weight_path(node: str, weight: str) -> str:
    """The public name of a node's weight."""
    return f"{node}.{weight}" if weight else node


class Scope(BaseModel):
    """A named part of the network: what a block call, a labelled group or a labelled loop added.

    Every node and scope whose path begins with `path.` belongs to it. `block` is the block that was
    called, with its `arguments` where they are plain values, or None for a group.
    """

    model_config = _CONFIG

    path: str
    block: str | None = None
    arguments: Annotated[dict[str, Any], BeforeValidator(_frozen)] = {}


class Output(BaseModel):
    """A result of the network: its public name and the node that gives it."""

    model_config = _CONFIG

    name: str
    node: str


class Graph(BaseModel):
    """A whole network. Nodes stand in an order in which each comes after its inputs.

    One that is `inference_only` computes what the network does at inference, and would train otherwise.
    Two graphs are equal when they compute the same under the same names; where they were written
    (`positions`, by node or scope path) does not count, nor what the spec calls tensors on the way: `tensors` has names
    by scope path ("" is the net's) and node, and may speak of nodes that a pass took away.
    """

    model_config = _CONFIG

    version: Literal[1] = 1
    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    scopes: tuple[Scope, ...] = ()
    positions: dict[str, Position] = {}
    tensors: dict[str, dict[str, str]] = {}
    inference_only: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash((self.name, tuple(node.name for node in self.nodes)))

    @property
    def _identity(self) -> tuple[object, ...]:
        parts = (self.version, self.name, self.nodes, self.outputs, self.scopes)
        return *parts, self.inference_only

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Each node by its name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def readers(self) -> Mapping[str, tuple[str, ...]]:
        """For each node the nodes that read it, once per reading."""
        readers: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for source in node.inputs:
                readers[source].append(node.name)
        return {name: tuple(found) for name, found in readers.items()}

    def is_spread(self, node: Node) -> bool:
        """Whether one example's worth of a node's value will do, since all its readers spread it."""
        readers = [self.by_name[name] for name in self.readers[node.name]]
        return (
            node.op.batchless
            and bool(readers)
            and node.name not in {output.node for output in self.outputs}
            and all(
                reader.op.spreads
                and any(not self.by_name[name].op.batchless for name in reader.inputs)
                for reader in readers
            )
        )

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes where data enters, in the order of the spec."""
        return tuple(node for node in self.nodes if node.op.kind == "input")

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """The shapes that a node is given."""
        return tuple(self.by_name[name].shape for name in node.inputs)

    def owner(self, node: Node) -> Node:
        """The node that has the weights which a node works with: itself, where it shares none."""
        while node.shares is not None:
            node = self.by_name[node.shares]
        return node

    def weights_of(self, node: Node) -> tuple[tuple[str, Weight], ...]:
        """The weights that a node works with, under their public names: those of their owner."""
        needed = node.op.weights(*self.input_shapes(node))
        stem = self.owner(node).name
        return tuple((weight_path(stem, weight.name), weight) for weight in needed)

    def weights(self) -> Iterable[tuple[str, Weight]]:
        """Every weight of the network once, with its public name, in the order of the nodes that own them."""
        for node in self.nodes:
            if node.shares is None:
                yield from self.weights_of(node)

    def having(self, **changes: Any) -> "Graph":
        """The graph with some of its fields changed."""
        kept = {field: getattr(self, field) for field in type(self).model_fields}
        return Graph(**(kept | changes))

    @property
    def _unsaid(self) -> set[str]:
        """What JSON does not say: graphs as a spec gives them are for training too."""
        return set() if self.inference_only else {"inference_only"}

    def to_json(self, *, indent: int | None = 2) -> str:
        """The graph as JSON; `from_json` gives an equal graph back."""
        return self.model_dump_json(indent=indent, exclude=self._unsaid)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Graph":
        """The graph that `to_json` wrote. Raises pydantic's `ValidationError` for anything else."""
        return cls.model_validate_json(text)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all that the graph means (not where it was written), in hex."""
        import json

        content = self.model_dump(mode="json", exclude={"positions", "tensors", *self._unsaid})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
