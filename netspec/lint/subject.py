"""What rules look at: one file's tree, and the steps of its nets' graphs found again in it. Knows no rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from netspec.dim import UnknownSize
from netspec.ir import Graph, Node
from netspec.language import tree
from netspec.lint.ignores import Ignore
from netspec.lint.names import Names, Part, parts_of, walk
from netspec.ops import Op, find
from netspec.shape import Shape
from netspec.source import Position, Span

Found = TypeVar("Found")


class Place(NamedTuple):
    """A call of an op or a block in the text, its pipeline, the statement and the `if`s around it."""

    step: tree.Invoke
    pipeline: tree.Pipeline
    statement: tree.Statement
    conditions: frozenset[Span]

    def argument(self, op: Op, name: str) -> tree.Argument | None:
        """The argument that gives an op's field its value. None too where a variable stands for the op."""
        if not self.names(op):
            return None
        for argument in self.step.arguments:
            if argument.name == name:
                return argument
        index = list(type(op).model_fields).index(name)
        if op.variadic is not None or index >= len(self.step.arguments):
            return None
        argument = self.step.arguments[index]
        return argument if argument.name is None else None

    def names(self, op: Op) -> bool:
        """Whether the text calls the op by its name, rather than by a variable or within a block."""
        return find(self.step.name.name) is type(op)

    @property
    def has_plain_arguments(self) -> bool:
        """Whether all arguments are written out: no variable may change them."""
        return all(isinstance(each.value, tree.Literal) for each in self.step.arguments)

    @property
    def head(self) -> Span:
        """The step's name and arguments, without label and braces."""
        source, start, end = self.step.name.span
        return Span(source, start, self.step.arguments[-1].span.end if self.step.arguments else end)


class Instance(NamedTuple):
    """A node that a step became, in one of the file's nets."""

    net: Net
    node: Node

    @property
    def op(self) -> Op:
        """The settled op."""
        return self.node.op

    def field(self, name: str, default: Any = None) -> Any:
        """A field of the op, settled; the default where the op has none of that name."""
        return getattr(self.op, name, default)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """What the node is given."""
        return self.net.graph.input_shapes(self.node)

    @property
    def is_result(self) -> bool:
        """Whether the net's caller sees the node's value."""
        return self.node.name in self.net.results

    @property
    def readers(self) -> list[Instance]:
        """The nodes that use the value and lead to a result."""
        names = dict.fromkeys(self.net.graph.readers[self.node.name])
        return [
            Instance(self.net, self.net.graph.by_name[name])
            for name in names
            if name in self.net.live
        ]

    @property
    def sources(self) -> list[Instance]:
        """The nodes whose values the node uses."""
        return [Instance(self.net, self.net.graph.by_name[name]) for name in self.node.inputs]

    @property
    def position(self) -> Position | None:
        """Where the step stands."""
        return self.net.graph.positions.get(self.node.name)

    @property
    def follows_from_the_next(self) -> bool:
        """Whether the op after it put it there, as a dense layer flattens an image."""
        if len(self.shapes) != 1:
            return False
        beside = (reader for reader in self.readers if reader.position == self.position)
        firsts = (reader.op.prelude(*self.shapes) for reader in beside)
        return any(first is not None and first.kind == self.op.kind for first in firsts)


class Net:
    """One net's graph, with the steps that lead to no result."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.results = {output.node for output in graph.outputs}

    @cached_property
    def live(self) -> frozenset[str]:
        """The nodes that lead to a result."""
        live = set(self.results)
        for node in reversed(self.graph.nodes):
            if node.name in live:
                live.update(node.inputs)
        return frozenset(live)


class Subject:
    """A file without mistakes, the nets in it, the rules that apply and the comments that silence some.

    `given` are the names of the parameters that the caller sets.
    """

    def __init__(
        self,
        file: tree.File,
        graphs: Sequence[Graph],
        rules: frozenset[str] = frozenset(),
        ignores: Sequence[Ignore] = (),
        given: Collection[str] = (),
    ) -> None:
        self.file = file
        self.given = given
        self.rules = rules
        self.nets = [Net(graph) for graph in graphs]
        self.ignores = ignores
        self._ignores: dict[int | None, list[Ignore]] = {}
        for ignore in ignores:
            self._ignores.setdefault(ignore.line, []).append(ignore)
        self._parts: dict[int, Part] = {}

    def ignores_of(self, line: int) -> Iterator[Ignore]:
        """The comments that speak of a line, or of the whole file."""
        return chain(self._ignores.get(None, ()), self._ignores.get(line, ()))

    def _part(self, root: object) -> Part:
        """A part of this file's tree, walked once for all rules that ask."""
        found = self._parts.get(id(root))
        if found is None:
            found = self._parts[id(root)] = walk(root)
        return found

    def nodes(self, *roots: object) -> Iterator[object]:
        """Every node of these parts of this file's tree but the names that it defines, at any depth."""
        for root in roots:
            yield from self._part(root).nodes

    def all_nodes(self) -> Iterator[object]:
        """Every node of this file's tree but the names that it defines."""
        return self.nodes(*(part for item in self.file.items for part in parts_of(item)))

    def read_in(self, *roots: object) -> Names:
        """What these parts of this file's tree read, at any depth."""
        found = [self._part(root).names for root in roots]
        bare = frozenset[str]().union(*(names.bare for names in found))
        return Names(bare, frozenset[str]().union(*(names.tensors for names in found)))

    @cached_property
    def places(self) -> Mapping[tuple[int, int], Place]:
        """Every call in the text, by the line and column of its name."""
        found: dict[tuple[int, int], Place] = {}
        waiting: list[tuple[object, tree.Statement | None, frozenset[Span]]]
        waiting = [(self.file.items, None, frozenset())]
        while waiting:
            node, statement, conditions = waiting.pop()
            if isinstance(node, tree.Statement):
                statement = node
            elif isinstance(node, tree.If):
                conditions |= {node.span}
            elif isinstance(node, tree.Pipeline):
                assert statement is not None
                for step in node.steps:
                    if isinstance(step, tree.Invoke):
                        span = step.name.span
                        found[span.source.place(span.start)] = Place(
                            step, node, statement, conditions
                        )
            if isinstance(node, tuple) and not isinstance(node, Span):
                children = (child for child in node if isinstance(child, tuple))
                waiting.extend((child, statement, conditions) for child in children)
        return found

    def place(self, position: Position | None) -> Place | None:
        """The call that stands at a position of this file."""
        if position is None or position.file != self.file.source.name:
            return None
        return self.places.get((position.line, position.column))

    def is_certain(self, place: Place, neighbour: Instance) -> bool:
        """Whether a step has its neighbour whatever the parameters are: no variable names it, no `if` decides on it."""
        other = self.place(neighbour.position)
        return (
            other is not None and other.names(neighbour.op) and other.conditions <= place.conditions
        )

    @cached_property
    def instances(self) -> Mapping[tuple[int, int], list[Instance]]:
        """What each call became in all nets, as far as it leads to a result."""
        found: dict[tuple[int, int], list[Instance]] = {}
        for net in self.nets:
            for node in net.graph.nodes:
                instance = Instance(net, node)
                position = instance.position
                if node.name in net.live and self.place(position) is not None:
                    assert position is not None
                    found.setdefault((position.line, position.column), []).append(instance)
        return {
            at: kept
            for at, all_ in found.items()
            if (kept := [each for each in all_ if not each.follows_from_the_next])
        }

    def steps(
        self, test: Callable[[Place, Instance], Found | None]
    ) -> Iterator[tuple[Place, Instance, Found]]:
        """The steps whose every instance passes a test, with the first one and what the test found.

        A step of a block that is right in one of its calls is right: it is general, not wrong. A size that is
        known only at run time proves nothing.
        """
        for at, instances in self.instances.items():
            place = self.places[at]
            try:
                found = (test(place, each) for each in instances)
                first = next(found)
                if first is not None and all(each is not None for each in found):
                    yield place, instances[0], first
            except UnknownSize:
                continue
