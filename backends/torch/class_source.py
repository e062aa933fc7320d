"""One class of an emitted file: submodules in `__init__`, readable statements in `forward`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from netspec.backends.torch.children import (
    assigned,
    bound,
    has_keys,
    module_at,
    module_dict,
    tensor_at,
)
from netspec.backends.torch.in_place import is_unnamed
from netspec.backends.torch.initial import placed
from netspec.backends.torch.layer import applied, depth, is_tensor
from netspec.backends.torch.nodes import layer_of
from netspec.backends.torch.sequential import is_list, statements
from netspec.emit.definitions import POSITIONAL, Definition, Plan
from netspec.emit.names import Names, snake
from netspec.emit.outline import Item, Leaf, Part, shape_after
from netspec.emit.source import (
    INDENT,
    WIDTH,
    Call,
    Code,
    Expr,
    Option,
    codes,
    fill,
    flat,
    layout,
)
from netspec.emit.variables import name_tensors
from netspec.ir import Graph

DEEPEST = 3
"""Calls that one expression nests before a new statement begins."""

IMPORTED = ("F", "OrderedDict", "Tensor", "nn", "torch")
BUILT_IN = ("getattr", "len", "setattr")

_MODULE_NAMES = """
T_destination add_module append apply bfloat16 buffers call_super_init children compile cpu cuda
double dump_patches eval extend extra_repr float forward get_buffer get_extra_state get_parameter
get_submodule half insert ipu load_state_dict modules mtia named_buffers named_children named_modules
named_parameters parameters pop register_backward_hook register_buffer register_forward_hook
register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu
zero_grad
"""
RESERVED = frozenset(_MODULE_NAMES.split())
"""Names that `nn.Module` and `nn.Sequential` use themselves."""
DICT_NAMES = frozenset(("clear", "items", "keys", "update", "values"))
"""Names that `nn.ModuleDict` uses besides."""


def class_lines(graph: Graph, plan: Plan, definition: Definition) -> list[str]:
    """The class, without a newline at the end."""
    return _Class(graph, plan, definition).lines()


class _Class:
    """One definition as the lines of a class."""

    def __init__(self, graph: Graph, plan: Plan, definition: Definition) -> None:
        self.graph = graph
        self.plan = plan
        self.definition = definition
        self.part = definition.part
        self.layers = {i.local: layer_of(graph, i) for i in self.part.items if isinstance(i, Leaf)}
        self.is_dict = has_keys(self.part, definition.sketches)
        self.reserved = RESERVED | DICT_NAMES if self.is_dict else RESERVED
        self.attributes = self._attributes()
        self.varying = set(_varying(graph))
        self.held = self._held()
        self.flags = self._flags()
        own = {Code(name): Code(f"self.{held}") for name, held in self.held.items()}
        self.uses = {
            local: fill(definition.sketches[local].use or layer.forward, own)
            for local, layer in self.layers.items()
        }
        for local, flag in self.flags.items():
            use = self.uses[local]
            assert isinstance(use, Option)
            self.uses[local] = replace(use, condition=Code(f"self.{flag}"))

    def lines(self) -> list[str]:
        """The class, without a newline at the end."""
        parameters = [f"{name}: {kind}" for name, kind in self.definition.parameters.items()]
        if len(parameters) > POSITIONAL:
            parameters.insert(POSITIONAL, "*")
        signature = layout(
            Call("def __init__", {str(i): Code(p) for i, p in enumerate(["self", *parameters])}),
            after=" -> None:",
            indent=1,
        )
        if is_list(self.part, self.definition.sketches):
            return [
                f"class {self.definition.name}(nn.Sequential):",
                f'{INDENT}"""{self._words()}"""',
                "",
                *signature,
                *self._as_list(),
            ]
        made = [f"{INDENT * 2}self.{held} = {name}" for name, held in self.held.items()]
        for local, flag in self.flags.items():
            use = self.definition.sketches[local].use
            assert isinstance(use, Option)
            made.append(f"{INDENT * 2}self.{flag} = {flat(use.condition)}")
        made += self._constructions()
        start = [*signature, f"{INDENT * 2}super().__init__()", *made, ""] if made else []
        return [
            f"class {self.definition.name}({'nn.ModuleDict' if self.is_dict else 'nn.Module'}):",
            f'{INDENT}"""{self._words()}"""',
            "",
            *start,
            *self._forward(),
        ]

    def _words(self) -> str:
        """What the class is in the spec, and the shapes of its only instance or how many there are."""
        if not self.part.path:
            return "The network."
        block, path = self.part.block, self.part.path
        title = f"Group `{path}`" if block is None else f"Block `{block}`"
        if self.definition.uses > 1:
            return f"{title}, {self.definition.uses} instances."
        values = (self.part.inputs, self.part.outputs)
        if not all(values) or self.varying & {*self.part.inputs, *self.part.outputs}:
            return f"{title}."
        before, after = (
            ", ".join(str(self.graph.by_name[name].shape) for name in each) for each in values
        )
        words = f"{title}: {before} to {after}."
        return words if len(INDENT) + len(words) + 6 <= WIDTH else f"{title}."

    def _held(self) -> dict[str, str]:
        """The attributes for parameters that `forward` reads."""
        names = Names({*self.reserved, *self.attributes, *_children(self.attributes.values())})
        read = {
            str(code) for sketch in self.definition.sketches.values() for code in codes(sketch.use)
        }
        return {name: names.fresh(name) for name in self.definition.parameters if name in read}

    def _flags(self) -> dict[str, str]:
        """The attributes that tell `forward` whether it computes what is optional: `residual` for a sum."""
        taken = {*self.reserved, *self.held.values(), *_children(self.attributes.values())}
        names = Names({*taken, *self.attributes})
        return {
            item.local: names.fresh(
                "residual" if item.node.op.kind == "add" else f"has_{item.node.op.kind}"
            )
            for item in self.part.items
            if isinstance(item, Leaf)
            and isinstance(self.definition.sketches[item.local].use, Option)
        }

    def _as_list(self) -> list[str]:
        """`super().__init__(...)` with the modules of a sequence."""
        calls = [self.definition.sketches[item.local].calls[0] for item in self.part.items]
        call = Call("super().__init__", {str(i): each for i, each in enumerate(calls)})
        return statements(call, self._variable())

    def _variable(self) -> str:
        """For a list of modules in `__init__`."""
        return Names(self.definition.parameters).fresh("layers")

    def _attributes(self) -> dict[str, str]:
        """The expression by which each item's module is reached: its owner's where it has one.

        Activations that the spec left unnamed share one module where they are alike.
        """
        attributes: dict[str, str] = {}
        alike: dict[str, set[str]] = {}
        for item in self.part.items:
            if (kind := self._shareable(item)) is not None:
                alike.setdefault(kind, set()).add(repr(self.definition.sketches[item.local].calls))
        taken = {item.local for item in self.part.items}
        for item in self.part.items:
            kind = self._shareable(item)
            if item.owner is not None:
                attributes[item.local] = attributes[item.owner]
            elif kind is not None and len(alike[kind]) == 1 and kind not in taken:
                attributes[item.local] = f"self.{kind}"
            else:
                calls = self.definition.sketches[item.local].calls
                at = tensor_at if calls and is_tensor(calls[0]) else module_at
                attributes[item.local] = at(item.local.split("."))
        return attributes

    def _shareable(self, item: Item) -> str | None:
        if not isinstance(item, Leaf) or item.owner or not self.layers[item.local].shared:
            return None
        (made,) = self.definition.sketches[item.local].calls
        kind = item.node.op.kind
        if isinstance(made, Option) or not is_unnamed(item):
            return None
        func = str(made.func) if isinstance(made, Call) else ""
        return func if func in self.definition.parameters else kind

    def _constructions(self) -> list[str]:
        """`self.conv1 = ...`, with the shape behind it where it changes."""
        lines: list[str] = []
        done: set[str] = set()
        for item in self.part.items:
            calls = self.definition.sketches[item.local].calls
            attribute = self.attributes[item.local]
            if not calls or attribute in done:
                continue
            done.add(attribute)
            if "." in item.local:
                lines += self._container(item.local.split(".")[0], done)
                if is_tensor(calls[0]):
                    lines += assigned(attribute, calls[0])
            else:
                lines += self._with_shape(bound(attribute, calls[0], self._variable()), item)
            for initial in calls[1:]:
                assert isinstance(initial, Call)
                lines += layout(placed(initial, attribute), indent=2)
        return lines

    def _container(self, name: str, done: set[str]) -> list[str]:
        """A group that the graph interrupts: its modules in nested dictionaries."""
        attribute = module_at([name])
        if attribute in done:
            return []
        done.add(attribute)
        tree: dict[str, object] = {}
        for item in self.part.items:
            head, *keys = item.local.split(".")
            if head != name or not self.definition.sketches[item.local].calls:
                continue
            level = tree
            for key in keys[:-1]:
                level = level.setdefault(key, {})  # type: ignore[assignment]
            made = self.definition.sketches[item.local].calls[0]
            if not is_tensor(made):
                level[keys[-1]] = made
        return bound(attribute, module_dict(tree), self._variable())

    def _with_shape(self, lines: list[str], item: Item) -> list[str]:
        after = shape_after(self.graph, item)
        before = self.graph.by_name[item.inputs[0]].shape
        if self.definition.uses > 1 or not after.spatial or after == before:
            return lines
        if len(item.outputs) > 1:
            return lines
        if any(name in self.varying for name in item.outputs):
            return lines
        commented = f"{lines[-1]}  # {after}"
        return [*lines[:-1], commented] if len(commented) <= WIDTH else lines

    def _forward(self) -> list[str]:
        hidden = self._hidden()
        variables = name_tensors(
            *(self.graph, self.part, hidden, self._result_names()),
            reserved=("self", *BUILT_IN, *IMPORTED),
        )
        pending: dict[str, Expr] = {}
        body: list[str] = []
        results = self.part.outputs
        finished = False

        def read(value: str) -> Expr:
            return pending[value] if value in pending else Code(variables[value])

        for item in self.part.items:
            expr = self._applied(item, [read(value) for value in item.inputs])
            if all(value in hidden for value in item.outputs):
                pending[item.outputs[0]] = expr
            elif item is self.part.items[-1] and [*item.outputs] == results and not _lists(item):
                body += layout(expr, before="return ", indent=2)
                finished = True
            else:
                target = ", ".join(variables[value] for value in item.outputs)
                if expr != Code(target):
                    body += layout(expr, before=f"{target} = ", indent=2)
        if not finished:
            body.append(f"{INDENT * 2}return {', '.join(variables[value] for value in results)}")
        inputs = [f"{variables[value]}: Tensor" for value in self.part.inputs]
        result = "Tensor" if len(results) == 1 else f"tuple[{', '.join(['Tensor'] * len(results))}]"
        signature = Call("def forward", {str(i): Code(p) for i, p in enumerate(["self", *inputs])})
        return [*layout(signature, after=f" -> {result}:", indent=1), *body]

    def _result_names(self) -> dict[str, str]:
        """Several results of the network have their own names."""
        if self.part.path or len(self.part.outputs) == 1:
            return {}
        return {output.node: snake(output.name) for output in self.graph.outputs}

    def _applied(self, item: Item, inputs: list[Expr]) -> Expr:
        module = Code(self.attributes[item.local])
        if isinstance(item, Part):
            return Call(module, {str(i): each for i, each in enumerate(inputs)})
        return applied(self.uses[item.local], module, inputs)

    def _hidden(self) -> set[str]:
        """Values that are written inside the expression which reads them: of light layers, one after another."""
        counts: dict[str, int] = {}
        for item in self.part.items:
            for value in item.inputs:
                counts[value] = counts.get(value, 0) + 1
        apart = {*self.flags}.union(
            value
            for item in self.part.items
            if item.local in self.flags
            for value in (*item.inputs, *item.outputs)
        )
        hidden = {
            item.outputs[0]
            for item in self.part.items
            if isinstance(item, Leaf)
            and self.layers[item.local].inline
            and item.path not in apart
            and counts.get(item.path) == 1
            and item.path not in self.part.outputs
        }
        nested = 0
        for item, following in zip(self.part.items, self.part.items[1:], strict=False):
            own = depth(self.layers[item.local].forward) if isinstance(item, Leaf) else 1
            more = depth(self.layers[following.local].forward) if isinstance(following, Leaf) else 1
            nested = nested + own if item.inputs and item.inputs[0] in hidden else own
            light = (
                isinstance(following, Leaf)
                and not following.node.op.merges
                and not self.layers[following.local].heavy
            )
            (value, *others) = item.outputs
            if (
                light
                and not others
                and value not in apart
                and nested + more <= DEEPEST
                and counts.get(value) == 1
                and value in following.inputs
                and value not in self.part.outputs
            ):
                hidden.add(value)
        return hidden


def _lists(item: Item) -> bool:
    """Whether an item's results come as one list."""
    return isinstance(item, Leaf) and bool(item.also)


def _children(attributes: Iterable[str]) -> Iterator[str]:
    """The names of a module's own children, by the expressions that reach them."""
    return (re.split(r"\W", attribute.removeprefix("self."))[0] for attribute in attributes)


def _varying(graph: Graph) -> Iterator[str]:
    """The nodes that have another shape where they are used again."""
    for node in graph.nodes:
        twin = node
        while twin.shares is not None:
            twin = graph.by_name[twin.shares]
            if twin.shape != node.shape:
                yield twin.name
