"""Assembles a graph step by step: names, shapes and scopes. Serves the language's expander and the Python API alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from netspec import fitting
from netspec.dim import UnknownSize, written
from netspec.ir import Graph, Node, Output, Scope
from netspec.limits import DEFAULT, Limits, Memory
from netspec.ops import Op, Parting, Rejected, Weight, all_ops, find
from netspec.ops.input import Input
from netspec.paths import Level, Paths, around, check_label
from netspec.shape import Shape
from netspec.sharing import Use, difference, in_every_use, settle_uses
from netspec.source import Position


class Value(NamedTuple):
    """The result of a node."""

    name: str
    shape: Shape


class Instance:
    """Layers that several places of a network share: made by their first use, where they were declared."""

    def __init__(self, label: str, level: Level) -> None:
        self.label = label
        self.level = level
        self.uses: list[Use] = []


class GraphBuilder:
    """Collects nodes; `finish` gives the graph. What it makes is right by construction and not checked again."""

    def __init__(self, name: str, limits: Limits = DEFAULT) -> None:
        self.name = name
        self._memory = Memory(limits)
        self._nodes: list[Node] = []
        self._scopes: list[Scope] = []
        self._positions: dict[str, Position] = {}
        self._tensors: dict[str, dict[str, str]] = {}
        self._weights: dict[str, tuple[Weight, ...]] = {}
        self._paths = Paths(limits)
        self._lenders: dict[str, Instance] = {}
        self._levels = [Level("")]
        self._unknowns: frozenset[str] = frozenset()
        self._instances: list[Instance] = []
        self._using: list[Instance] = []

    def add(
        self,
        op: Op,
        inputs: Sequence[Value],
        *,
        label: str | None = None,
        at: Position | None = None,
        lender: Instance | None = None,
        kind: str | None = None,
    ) -> Value:
        """Append an op. Without a label it is named by its `kind` and its place in its scope: `conv1`.

        An op that borrows takes the weights of its `lender`. Raises `Rejected` where the op does not
        fit its inputs or the label is not free.
        """
        if op.kind == "input" and self._using:
            label = self._using[-1].label
            raise Rejected("shared-input", f"an `input` cannot be a part of the shared `{label}`")
        shapes = [value.shape for value in inputs]
        fitting.check_inputs(op, shapes)
        try:
            if (first := op.prelude(*shapes)) is not None:
                inputs = [self.add(first, inputs, at=at)]
                shapes = [inputs[0].shape]
            fitting.check_kinds(op, shapes)
            op = op.settle(*shapes)
            shape = op.infer(*shapes)
            weights = op.weights(*shapes)
            fitting.check_memory(op, shape, weights, self._memory, repeats=self.repeats)
        except UnknownSize as unknown:
            raise fitting.needs_number(op, unknown, shapes) from None
        fitting.check_initial(weights)
        if isinstance(op, Input):
            self._unknowns |= fitting.determined(op, self._unknowns)
        path = self._paths.claim(self._levels[-1], label, kind or op.kind, "node")
        if at is not None:
            self._positions[path] = at
        sources = tuple(value.name for value in inputs)
        self._nodes.append(Node.model_construct(name=path, op=op, inputs=sources, shape=shape))
        self._weights[path] = weights
        if lender is not None:
            self._lenders[path] = lender
        value = Value(path, shape)
        return value if (last := op.sequel(shape)) is None else self.add(last, [value], at=at)

    def part(
        self,
        op: Parting,
        inputs: Sequence[Value],
        *,
        label: str | None = None,
        at: Position | None = None,
    ) -> list[Value]:
        """Append the ops that a parting stands for: `split1`, `split2`..., or `label1`, `label2`...

        Raises `Rejected` as `add` does.
        """
        shapes = [value.shape for value in inputs]
        fitting.check_inputs(op, shapes)
        try:
            parts = op.parts(*shapes)
        except UnknownSize as unknown:
            raise fitting.needs_number(op, unknown, shapes) from None
        return [
            self.add(part, inputs, label=label and f"{label}{number}", at=at, kind=op.kind)
            for number, part in enumerate(parts, start=1)
        ]

    @contextmanager
    def scope(
        self,
        label: str | None,
        *,
        block: str | None = None,
        arguments: Mapping[str, object] | None = None,
        at: Position | None = None,
    ) -> Iterator[str]:
        """Open a scope: the names of all that is added inside begin with its path.

        Without a label the scope is named by its block and its place: `basic1`.
        """
        path = self._paths.claim(self._levels[-1], label, block or "group", "scope")
        self._scopes.append(
            Scope.model_construct(
                path=path,
                block=block,
                arguments={name: written(value) for name, value in (arguments or {}).items()},
            )
        )
        if at is not None:
            self._positions[path] = at
        self._levels.append(Level(path + "."))
        try:
            yield path
        finally:
            self._levels.pop()

    def call(self, value: Value, name: str, *, given: bool = False) -> None:
        """Note what a tensor is called in the open scope, for who writes code of it. The first name stays.

        A tensor from outside has a name of its own inside if it is one that is `given` to the scope.
        """
        prefix = self._levels[-1].prefix
        if given or value.name.startswith(prefix):
            self._tensors.setdefault(prefix[:-1], {}).setdefault(value.name, name)

    def change(self, changes: Mapping[str, Mapping[str, object]]) -> None:
        """Give fields of settled ops, by node, other values, which no shape depends on.

        Those of a shared one change at all its uses.
        """
        twins = {
            node.name: instance.uses[0].path + (use.local(node.name) or "")
            for instance in self._instances
            for use in instance.uses[1:]
            for node in use.nodes
        }
        for index, node in enumerate(self._nodes):
            name = node.name
            while name not in changes and name in twins:
                name = twins[name]
            if name in changes:
                op = node.op.model_copy(update=dict(changes[name]))
                self._nodes[index] = node.model_copy(update={"op": op})

    def share(self, label: str) -> Instance:
        """Declare an instance here. It is nothing until it is used. Raises `Rejected` for a bad name."""
        check_label(label)
        return Instance(label, self._levels[-1])

    @contextmanager
    def use(self, instance: Instance) -> Iterator[str]:
        """Add the instance once more: inside, add one op or open one scope, with the label that this gives.

        The first use is called as the instance, later ones have a number, and all stand where it was
        declared. Raises `Rejected` where the name is taken, and at the end where a use does not mirror
        the first.
        """
        level = instance.level
        label = instance.label
        if not instance.uses and f"{level.prefix}{label}" in self._paths:
            raise Rejected(
                "duplicate-name",
                f"the name `{level.prefix}{label}` is already taken",
                help="choose another name; in a loop, label the loop: each round has names of its own then",
            )
        if instance.uses:
            number = len(instance.uses) + 1
            while f"{level.prefix}{instance.label}{number}" in self._paths:
                number += 1
            label = f"{instance.label}{number}"
        start = len(self._nodes)
        self._levels.append(level)
        self._using.append(instance)
        try:
            yield label
        finally:
            self._using.pop()
            self._levels.pop()
        path = level.prefix + label
        below = f"{path}."
        use = Use(
            path,
            tuple(n for n in self._nodes[start:] if n.name == path or n.name.startswith(below)),
        )
        self._paths.seal(path)
        if instance.uses:
            fault = difference(instance.uses[0], use, lambda node: self._weights[node.name])
            if fault is not None:
                raise Rejected(
                    "unlike-use",
                    f"the shared `{instance.label}` cannot be used here: {fault}",
                    help="a shared instance has the same layers with the same weights wherever it is used",
                )
        else:
            self._instances.append(instance)
        instance.uses.append(use)

    @property
    def repeats(self) -> bool:
        """Whether what is added now is a later use of shared layers."""
        return any(instance.uses for instance in self._using)

    def tie(
        self,
        value: Value,
        lender: Instance,
        *,
        label: str | None = None,
        at: Position | None = None,
    ) -> Value:
        """Append the transposed map of the weight of a shared layer that was used before.

        Raises `Rejected` where it was not, or is not one layer that can be tied, or gives another width.
        """
        name = lender.label
        if not lender.uses:
            raise Rejected(
                "not-shared",
                f"`{name}` is tied before it is used",
                help=f"a shared layer is made by its first use: `{name}` comes before `tied {name}`",
            )
        use = lender.uses[0]
        alone = [node for node in use.nodes if node.name == use.path]
        rows_are = alone[0].op.ties if alone else None
        if rows_are is None:
            kinds = ", ".join(f"`{op.kind}`" for op in all_ops() if op.ties)
            raise Rejected(
                "not-shared",
                f"`{name}` is not one layer whose weight can be tied",
                help=f"share one of {kinds} by itself",
            )
        rows, columns = self._weights[use.path][0].shape
        features, width = (rows, columns) if rows_are == "outputs" else (columns, rows)
        if "c" in value.shape.axes and value.shape.axis("c") != width:
            raise Rejected(
                "wrong-width",
                f"`tied {name}` takes {width} channels, got {value.shape.axis('c')}",
                help=f"`{name}` gives {width}: bring the tensor back to them with `dense {width}`",
            )
        tied = find("tied")
        assert tied is not None
        op = tied.model_validate({"features": features, "rows": rows_are})
        return self.add(op, [value], label=label, at=at, lender=lender)

    def finish(self, outputs: Sequence[tuple[str | None, Value]], *, prune: bool = True) -> Graph:
        """The graph that computes these results; steps that lead to none of them are no part of it, if pruned.

        A result without a name is called `output`, or `output1`, `output2`... where there are several.
        Raises `Rejected` where two have one name, or one has the name of an input that it is not, and
        `SpecError` where a layer borrows weights of one that leads to no result before it.
        """
        unnamed = sum(name is None for name, _ in outputs)
        named: list[Output] = []
        for name, value in outputs:
            number = len(named) + 1
            name = name or ("output" if unnamed == 1 else f"output{number}")
            self.check_result(name, value)
            if any(name == other.name for other in named):
                raise Rejected(
                    "duplicate-name",
                    f"two results are called `{name}`",
                    help="give each of them a name of its own",
                )
            named.append(Output.model_construct(name=name, node=value.name))
        results = [output.node for output in named] if prune else [n.name for n in self._nodes]
        needed = self._needed(set(results))
        nodes = tuple(node for node in self._nodes if node.name in needed)
        used = {path for node in nodes for path in (node.name, *around(node.name))}
        graph = Graph.model_construct(
            name=self.name,
            nodes=nodes,
            outputs=tuple(named),
            scopes=tuple(scope for scope in self._scopes if scope.path in used),
            positions={path: at for path, at in self._positions.items() if path in used},
            tensors={
                scope: {name: word for name, word in names.items() if name in used}
                for scope, names in self._tensors.items()
                if scope in used or not scope
            },
        )
        lenders = {name: lender.uses for name, lender in self._lenders.items() if name in needed}
        return settle_uses(graph, [instance.uses for instance in self._instances], lenders)

    def _needed(self, results: set[str]) -> set[str]:
        """The inputs, and all that leads to these results; the uses of an instance keep the same layers."""
        needed = {*results, *(node.name for node in self._nodes if node.op.kind == "input")}
        while True:
            for node in reversed(self._nodes):
                if node.name in needed:
                    needed.update(node.inputs)
            found = len(needed)
            for instance in self._instances:
                needed |= in_every_use(instance.uses, needed)
            if len(needed) == found:
                return needed

    def check_result(self, name: str, value: Value) -> None:
        """Raise `Rejected` where a result would be called like another tensor that a caller sees."""
        if value.name != name and any(n.name == name and n.op.kind == "input" for n in self._nodes):
            raise Rejected(
                "duplicate-name",
                f"the result `{name}` has the name of an input",
                help="give it another name",
            )
