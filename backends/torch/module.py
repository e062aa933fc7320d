"""Lays out the file: what is a class and what a sequence, the imports, the proof of what is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from netspec.backends.torch.children import has_keys
from netspec.backends.torch.class_source import (
    BUILT_IN,
    DICT_NAMES,
    IMPORTED,
    RESERVED,
    class_lines,
)
from netspec.backends.torch.in_place import in_place
from netspec.backends.torch.layer import APPLIED, Layer, is_tensor
from netspec.backends.torch.nodes import layer_of
from netspec.backends.torch.parting import part_at_once
from netspec.backends.torch.prelude import SOURCES
from netspec.backends.torch.rows import ROWS
from netspec.backends.torch.sequential import is_list, sequential
from netspec.diagnostics import Diagnostic, SpecError
from netspec.emit.definitions import Plan, define
from netspec.emit.header import header
from netspec.emit.names import Names, camel
from netspec.emit.outline import Item, Leaf, Part, outline
from netspec.emit.prelude import needed
from netspec.emit.proof import names_of, prove
from netspec.emit.sketch import Sketch
from netspec.emit.source import INDEX, Expr
from netspec.ir import Graph
from netspec.passes import Model
from netspec.passes.sequence_layout import sequence_layout

SEVERAL = 3
"""Places where a block stands that are worth a class for a sequence of layers."""

_MODULES = ("collections", "torch", "torch.nn.functional")


def emit_module(graph: Graph) -> tuple[str, str]:
    """The source of a module for the graph, and the name of the network's class.

    Raises `SpecError` where PyTorch cannot realise the graph.
    """
    graph = sequence_layout(Model(graph)).graph
    ROWS.check(graph)
    _check_names(graph)
    plan = _plan(graph)
    _check_keys(graph, plan)
    own = ["\n".join(class_lines(graph, plan, each)) for each in plan.definitions]
    classes = "\n\n\n".join([*needed(SOURCES, "\n".join(own)), *own])
    code = f"{_imports(classes)}\n\n\n{classes}\n"
    source = f"{header(graph, channels_last=False)}\n{code}"
    numbered = (item.local for each in plan.definitions for item in each.part.items)
    prove(source, _meant(graph, plan), names_of(graph, numbered), _MODULES, SOURCES)
    return source, plan.definitions[-1].name


def _meant(graph: Graph, plan: Plan) -> Iterator[object]:
    """Every expression of the file, before it is text."""
    for node in graph.nodes:
        if node.op.kind != "input":
            layer = layer_of(graph, Leaf(node, node.name))
            yield from (layer.module, layer.forward, layer.sequential, layer.bare, *layer.initials)
    for definition in plan.definitions:
        for sketch in definition.sketches.values():
            yield from sketch.expressions()


def _check_names(graph: Graph) -> None:
    taken = {
        (part, node.name)
        for node in graph.nodes
        if node.op.kind != "input"
        for part in node.name.split(".")
        if part in RESERVED
    }
    _refuse(graph, taken, "torch.nn.Module")


def _check_keys(graph: Graph, plan: Plan) -> None:
    """A group that has keys or that the graph interrupts is an `nn.ModuleDict`, whose keys are attributes, too."""
    taken = {
        (key, item.path)
        for definition in plan.definitions
        for item in definition.part.items
        if definition.sketches[item.local].calls
        for key in item.local.split(".")[not has_keys(definition.part, definition.sketches) :]
        if key in DICT_NAMES
    }
    _refuse(graph, taken, "torch.nn.ModuleDict")


def _refuse(graph: Graph, taken: Iterable[tuple[str, str]], owner: str) -> None:
    """Raise a `SpecError` for these parts of paths, if there are any."""
    mistakes = [
        Diagnostic(
            "reserved-name",
            f"`{part}` in `{path}` is a name that {owner} uses itself",
            help="choose another label",
            position=graph.positions.get(path),
        )
        for part, path in sorted(taken)
    ]
    if mistakes:
        raise SpecError(*mistakes)


def _plan(graph: Graph) -> Plan:
    def layer_at(leaf: Leaf) -> Layer:
        return layer_of(graph, leaf, leaf.path in overwriting)

    def describe(leaf: Leaf) -> Sketch:
        layer = layer_at(leaf)
        calls = (layer.module,) if layer.module is not None else ()
        return Sketch((*calls, *layer.initials), use=layer.forward)

    names = Names((*IMPORTED, *SOURCES))
    reserved = ("self", INDEX, *BUILT_IN, *IMPORTED, *SOURCES)
    root = outline(graph, groups=True)
    part_at_once(root, graph)
    overwriting = in_place(graph, root)
    places = _places(root)

    def absorb(part: Part, sketches: Mapping[str, Sketch]) -> Sketch | None:
        """A chain is an `nn.Sequential` where that says as much as a class, and what holds one function is that.

        A block that is written in several places gets a class of its own.
        """
        if len(places.get(part.block, ())) >= SEVERAL and is_list(part, sketches):
            return None
        elements = _chain(part, sketches, layer_at)
        if elements is None:
            return None
        if len(elements) == 1 and not any(graph.weights_of(node) for node in part.nodes()):
            return Sketch(tuple(elements.values()))
        made, is_run = sequential(elements)
        counted = [*elements] == [str(i) for i in range(len(elements))]
        return Sketch((made,)) if part.block is None or counted or is_run else None

    def may_lack(item: Item, sketch: Sketch) -> bool:
        """Whether `nn.Identity` may stand for a module, or the input for what is computed of it."""
        if len(item.outputs) > 1:
            return False
        if len(sketch.calls) == 1 and not is_tensor(sketch.calls[0]):
            applied = isinstance(item, Part) or layer_at(item).forward == APPLIED
            return applied and len(item.inputs) == 1
        return not sketch.calls and isinstance(item, Leaf)

    return define(graph, root, describe, camel, names, reserved, absorb, may_lack)


def _places(root: Part) -> dict[str | None, set[tuple[str, str]]]:
    """For each block where it stands: in which block or group, and under which name."""
    found: dict[str | None, set[tuple[str, str]]] = {}
    waiting = [root]
    while waiting:
        part = waiting.pop()
        for item in part.items:
            if isinstance(item, Part):
                waiting.append(item)
                found.setdefault(item.block, set()).add((part.block or part.path, item.local))
    found.pop(None, None)
    return found


def _chain(
    part: Part, sketches: Mapping[str, Sketch], layer_at: Callable[[Leaf], Layer]
) -> dict[str, Expr] | None:
    """The elements of a part in which each is applied to the one before, unless it uses a layer twice."""
    elements: dict[str, Expr] = {}
    value = part.inputs[0] if len(part.inputs) == 1 else None
    for item in part.items:
        if isinstance(item, Leaf):
            element: Expr = layer_at(item).element
        else:
            element = next(iter(sketches[item.local].calls), None)
        plain = item.owner is None and "." not in item.local and len(item.outputs) == 1
        if not plain or element is None or list(item.inputs) != [value]:
            return None
        elements[item.local] = element
        value = item.outputs[0]
    return elements if part.outputs == [value] else None


def _imports(code: str) -> str:
    standard = ["from collections import OrderedDict"] if "OrderedDict(" in code else []
    third = ["import torch"] if re.search(r"\btorch\.", code) else []
    third += ["import torch.nn.functional as F"] if re.search(r"\bF\.", code) else []
    third.append("from torch import Tensor, nn")
    return "\n".join([*standard, "", *third] if standard else third)
