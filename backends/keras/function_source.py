"""One function of an emitted file: a layer, or a call of a block's function, per statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from netspec.backends.keras import sharing, stages
from netspec.backends.keras.layer import LAYER, LENDER, Layer, Step, layer_name
from netspec.backends.keras.prelude import SOURCES
from netspec.backends.keras.rows import held_axes
from netspec.dim import Dim
from netspec.emit.definitions import POSITIONAL, Definition, Plan
from netspec.emit.names import Names, snake
from netspec.emit.outline import Item, Leaf, Part
from netspec.emit.source import (
    INDENT,
    Call,
    Code,
    Expr,
    Items,
    Option,
    arg,
    call,
    fill,
    flat,
    layout,
)
from netspec.emit.variables import name_tensors
from netspec.ir import Graph
from netspec.shape import Shape

TENSOR = "KerasTensor"
IMPORTED = ("initializers", "keras", "layers", "np", "ops", TENSOR)


def function_lines(
    graph: Graph, layers: Mapping[str, Layer], plan: Plan, definition: Definition
) -> list[str]:
    """The function, without a newline at the end."""
    return _Function(graph, layers, plan, definition).lines()


def _has_layers(part: Part, layers: Mapping[str, Layer]) -> bool:
    """Whether anything in a part is a layer with a name, and not an expression alone."""
    return any(not step.expression for node in part.nodes() for step in layers[node.name].steps)


def channels_last(shape: Shape) -> tuple[int, ...]:
    """The sizes in Keras's order."""
    return shape.in_order(held_axes(shape.axes)).sizes


def _known(sizes: tuple[int, ...]) -> tuple[int | None, ...]:
    """The sizes, with None for those that are known only at run time."""
    return tuple([None if isinstance(size, Dim) else size for size in sizes])


def _itself(made: Expr) -> Expr:
    """What is made where it is not left out."""
    return made.element if isinstance(made, Option) else made


class _Option(NamedTuple):
    """A condition, and the variable that is read where it does not hold."""

    condition: str
    passing: str


class _Function:
    """One definition as the lines of a function."""

    def __init__(
        self, graph: Graph, layers: Mapping[str, Layer], plan: Plan, definition: Definition
    ) -> None:
        self.graph = graph
        self.layers = layers
        self.definition = definition
        self.part = definition.part
        self.whole = not self.part.path
        self.plain = not (self.part.path if self.part.stage_of is None else self.part.stage_of)
        functions = (each.name for each in plan.definitions)
        reserved = {*functions, *IMPORTED, *SOURCES, "name", *definition.parameters}
        self.lenders = sharing.lenders(self.part)
        self.objects = sharing.objects(self.part, layers, reserved)
        self.reserved = reserved.union(self.objects.values())
        self.waits = sharing.waits(graph, self.part)
        self.variables = name_tensors(
            graph,
            self.part,
            kept=self._own_names(),
            reserved=self.reserved,
            waits=self.waits,
            passing=dict(self._passing()),
        )

    def lines(self) -> list[str]:
        """The function, without a newline at the end."""
        part = self.part
        words = "The network." if self.whole else f"Block `{part.block}`."
        if stages.is_stage(part):
            first, last = part.items[0].local, part.items[-1].local
            words = f"`{first}` alone." if first == last else f"From `{first}` to `{last}`."
        elif part.path and part.block is None:
            words = f"Group `{part.path}`."
        body = [*self._inputs(), *self._body(), *self._end()]
        return [*self._signature(), f'{INDENT}"""{words}"""', *body]

    def _own_names(self) -> dict[str, str]:
        """The network's inputs and results are read once more where the model is made of them."""
        if not self.whole:
            return {}
        results = [(output.node, output.name) for output in self.graph.outputs]
        inputs = [(node.name, node.name.split(".")[-1]) for node in self.graph.inputs]
        return {
            **{value: snake(name) if len(results) > 1 else "outputs" for value, name in results},
            **{value: snake(name) if len(inputs) > 1 else "inputs" for value, name in inputs},
        }

    def _signature(self) -> list[str]:
        if self.whole:
            return [f"def {self.definition.name}() -> keras.Model:"]
        tensors = [f"{self.variables[value]}: {TENSOR}" for value in self.part.inputs]
        parameters = [f"{name}: {kind}" for name, kind in self.definition.parameters.items()]
        prefixed = not self.plain and _has_layers(self.part, self.layers)
        named = ["name: str"] if prefixed else []
        by_name = [*parameters[POSITIONAL:], *named]
        given = [*tensors, *parameters[:POSITIONAL], *(["*", *by_name] if by_name else [])]
        count = len(self.part.outputs)
        result = TENSOR if count == 1 else f"tuple[{', '.join([TENSOR] * count)}]"
        return layout(
            call(f"def {self.definition.name}", *map(Code, given)), after=f" -> {result}:"
        )

    def _inputs(self) -> list[str]:
        lines: list[str] = []
        for node in self.graph.inputs if self.whole else ():
            more: dict[str, Expr] = {"dtype": "int32"} if node.shape.dtype == "int" else {}
            made = call(
                "keras.Input", _known(channels_last(node.shape)), name=layer_name(node.name), **more
            )
            lines += layout(made, before=f"{self.variables[node.name]} = ", indent=1)
        return lines

    def _body(self) -> list[str]:
        """The statements; in the network's own function those of a group stand apart."""
        lines: list[str] = []
        for group, items in groupby(self.part.items, self._group):
            members = list(items)
            apart = group is not None and len(members) > 1
            if apart and lines and lines[-1]:
                lines.append("")
            for run in self._runs(members):
                lines += self._run(run)
            if apart and members[-1] is not self.part.items[-1]:
                lines.append("")
        return lines

    def _runs(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        """Items one by one, but together those behind one another that one condition decides about."""
        run: list[Item] = []
        for item in items:
            option = self._option(item)
            target = self.variables[item.outputs[0]]
            if run and option is not None and option.passing == target:
                before = self._option(run[-1])
                if before is not None and before.condition == option.condition:
                    run.append(item)
                    continue
            if run:
                yield run
            run = [item]
        if run:
            yield run

    def _passing(self) -> Iterator[tuple[str, str]]:
        """For each value that may be left out the one that passes in its place."""
        for item in self.part.items:
            calls = self.definition.sketches[item.local].calls
            if calls and isinstance(calls[0], Option) and not calls[0].is_choice:
                places = {str(arg(i)): value for i, value in enumerate(item.inputs)}
                yield item.outputs[0], places[str(calls[0].otherwise)]

    def _option(self, item: Item) -> _Option | None:
        """What decides whether an optional item is there, and the variable that is read in its place."""
        calls = self.definition.sketches[item.local].calls
        if not calls or not isinstance(calls[0], Option) or calls[0].is_choice:
            return None
        places = {arg(i): Code(self.variables[value]) for i, value in enumerate(item.inputs)}
        return _Option(flat(calls[0].condition), flat(fill(calls[0].otherwise, places)))

    def _run(self, items: Sequence[Item]) -> list[str]:
        """The statements of an item; of optional ones below their condition, and what holds without them."""
        option = self._option(items[0])
        if option is None:
            return self._statements(items[0], 1)
        lines = [f"{INDENT}if {option.condition}:"]
        lines += [line for item in items for line in self._statements(item, 2)]
        target = self.variables[items[0].outputs[0]]
        if option.passing != target:
            lines += [f"{INDENT}else:", f"{INDENT * 2}{target} = {option.passing}"]
        return lines

    def _group(self, item: Item) -> str | None:
        """The outermost group that an item was written in."""
        return item.local.split(".")[0] if self.plain and "." in item.local else None

    def _statements(self, item: Item, indent: int) -> list[str]:
        inputs: list[Expr] = [Code(self.variables[value]) for value in item.inputs]
        if item.local in self.waits:
            pair = Items((inputs[0], Code(self.variables[self.waits[item.local]])))
            inputs[0] = call(call("InOrder", name=self._name(f"{item.local}.order")), pair)
        target = ", ".join(self.variables[value] for value in item.outputs)
        before = "return " if self._returns(item) else f"{target} = "
        if isinstance(item, Part):
            return self._part(item, inputs, before, indent)
        lender = self.lenders.get(item.local, item.local)
        calls = tuple(map(_itself, self.definition.sketches[lender].calls))
        steps = self.layers[item.path].steps
        if item.node.op.borrows:
            calls = tuple(step.layer for step in steps)
        lines: list[str] = []
        for number, (step, made) in enumerate(zip(steps, calls, strict=True), start=1):
            shared = self.objects.get((lender, step.suffix))
            if shared is not None and lender == item.local and not step.expression:
                lines += layout(self._layer(item, step, made), before=f"{shared} = ", indent=indent)
            value = self._applied(item, step, made, inputs, shared)
            if number == len(steps):
                passed_on = before == f"{value} = "
                return lines if passed_on else lines + layout(value, before=before, indent=indent)
            if step.kept:
                kept = Names({*self.reserved, *self.variables.values()}).fresh(step.kept)
                lines += layout(value, before=f"{kept} = ", indent=indent)
                value = Code(kept)
            elif len(item.inputs) == 1:
                lines += layout(value, before=f"{target} = ", indent=indent)
                value = Code(target)
            inputs.append(value)
        raise AssertionError("every row has a step")

    def _part(self, part: Part, inputs: list[Expr], before: str, indent: int) -> list[str]:
        """The call of a block's function; a shared part is made a model of its own, which is called."""
        shared = self.objects.get((self.lenders.get(part.local, part.local), ""))
        (made,) = self.definition.sketches[part.local].calls or (None,)
        if shared is None and isinstance(made, Option) and made.is_choice:
            return [
                f"{INDENT * indent}if {flat(made.condition)}:",
                *layout(self._called(part, inputs, made.element), before=before, indent=indent + 1),
                f"{INDENT * indent}else:",
                *layout(
                    self._called(part, inputs, made.otherwise), before=before, indent=indent + 1
                ),
            ]
        if shared is None:
            return layout(self._function(part, inputs), before=before, indent=indent)
        lines: list[str] = []
        if part.owner is None:
            lines += self._model(part, shared)
        called = call(Code(shared), inputs[0] if len(inputs) == 1 else Items(tuple(inputs)))
        return lines + layout(called, before=before, indent=indent)

    def _function(self, part: Part, inputs: Sequence[Expr]) -> Call:
        return self._called(part, inputs, _itself(*self.definition.sketches[part.local].calls))

    def _called(self, part: Part, inputs: Sequence[Expr], made: Expr) -> Call:
        assert isinstance(made, Call)
        named = dict(made.keywords)
        stage, prefixed = stages.is_stage(part), _has_layers(part, self.layers)
        if prefixed and not (stage and self.plain):
            named["name"] = Code("name") if stage else self._name(part.local)
        values: tuple[Expr, ...] = tuple(inputs)
        if stage:
            values = (self._name(part.local), Code(str(made.func)), Items(values))
        func = "as_model" if stage else made.func
        given = call(func, *values, *made.positional.values(), **named)
        return replace(given, defaults=made.defaults)

    def _model(self, part: Part, name: str) -> list[str]:
        """A model of a shared part, for all the sizes that it is used with."""
        uses = [part]
        for item in self.part.items:
            if isinstance(item, Part) and self.lenders.get(item.local) == part.local:
                uses.append(item)
        lines: list[str] = []
        inputs: list[Expr] = []
        for number, values in enumerate(zip(*(use.inputs for use in uses), strict=True), start=1):
            shapes = [self.graph.by_name[value].shape for value in values]
            sizes = zip(*map(channels_last, shapes), strict=True)
            free = tuple(each[0] if len({*each}) == 1 else None for each in sizes)
            suffix = sharing.input_suffix(part, number)
            own = self._name(f"{part.local}.{suffix}")
            more: dict[str, Expr] = {"dtype": "int32"} if shapes[0].dtype == "int" else {}
            inputs.append(Code(self.objects[part.local, suffix]))
            made = call("keras.Input", free, name=own, **more)
            lines += layout(made, before=f"{inputs[-1]} = ", indent=1)
        given = inputs[0] if len(inputs) == 1 else Items(tuple(inputs))
        model = call(
            "keras.Model", given, self._function(part, inputs), name=self._name(part.local)
        )
        return lines + layout(model, before=f"{name} = ", indent=1)

    def _layer(self, item: Leaf, step: Step, made: Expr) -> Call:
        """`layers.Conv2D(..., name=...)`."""
        assert isinstance(made, Call)
        name = self._name(f"{item.local}.{step.suffix}" if step.suffix else item.local)
        return Call(made.func, made.positional, {**made.keywords, "name": name}, made.defaults)

    def _applied(
        self, item: Leaf, step: Step, made: Expr, values: list[Expr], shared: str | None
    ) -> Expr:
        """`layers.Conv2D(..., name=...)(x)`, `helper(x, ..., name=...)`, `shared(x)`, or the expression alone."""
        read = tuple(values[number] for number in step.reads)
        if step.expression:
            return fill(
                made,
                {
                    LENDER: Code(shared or ""),
                    **{arg(i): value for i, value in enumerate(read)},
                },
            )
        if step.helper:
            layer = self._layer(item, step, made)
            first = {str(i): value for i, value in enumerate(read)}
            return Call(layer.func, {**first, **layer.positional}, layer.keywords, layer.defaults)
        own = Code(shared) if shared else self._layer(item, step, made)
        if step.applied is not None:
            places = {arg(i): value for i, value in enumerate(read)}
            return fill(step.applied, {LAYER: own, **places})
        return call(own, read[0] if len(read) == 1 else Items(read))

    def _name(self, local: str) -> Expr:
        name = layer_name(local)
        return name if self.plain else Code(f'f"{{name}}_{name}"')

    def _returns(self, item: Item) -> bool:
        """Whether the function ends with what this item gives."""
        last = not self.whole and item is self.part.items[-1] and self._option(item) is None
        return last and list(item.outputs) == self.part.outputs

    def _end(self) -> list[str]:
        """`return`, where the last statement was none."""
        results: list[Expr] = [Code(self.variables[value]) for value in self.part.outputs]
        if self.whole:
            inputs: list[Expr] = [Code(self.variables[value]) for value in self.part.inputs]
            sides = (
                each[0] if len(each) == 1 else Items(tuple(each)) for each in (inputs, results)
            )
            model = call("keras.Model", *sides, name=snake(self.graph.name))
            return layout(model, before="return ", indent=1)
        if self._returns(self.part.items[-1]):
            return []
        return [f"{INDENT}return {', '.join(map(str, results))}"]
