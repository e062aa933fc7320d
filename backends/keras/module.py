"""Lays out the file: one function per block, one layer per statement, the network as a functional `keras.Model`.

A layer is called as its node, with `_` for the dots of the path: `layer1_0_conv1`. Keras refuses `/` in a name, and on
PyTorch dots in the names of layers with weights. Two paths that would give one name are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from netspec.backends.keras import sharing, stages
from netspec.backends.keras.function_source import IMPORTED, TENSOR, function_lines
from netspec.backends.keras.layer import Layer, Step, layer_name
from netspec.backends.keras.prelude import SOURCES
from netspec.backends.keras.rows import ROWS
from netspec.diagnostics import Diagnostic, SpecError
from netspec.emit.definitions import Plan, define
from netspec.emit.header import header
from netspec.emit.names import Names, snake
from netspec.emit.outline import Item, Leaf, outline
from netspec.emit.prelude import needed, uses
from netspec.emit.proof import names_of, prove
from netspec.emit.sketch import Sketch
from netspec.ir import Graph

_MODULES = ("keras", "numpy")


def emit_module(graph: Graph) -> tuple[str, str]:
    """The source of a module for the graph, and the name of the function that returns the network.

    Raises `SpecError` where Keras cannot realise the graph.
    """
    ROWS.check(graph)
    _check_names(graph)
    layers = _layers(graph)
    plan = _plan(graph, layers)
    functions = ["\n".join(function_lines(graph, layers, plan, d)) for d in plan.definitions]
    body = "\n\n\n".join([*needed(SOURCES, "\n".join(functions)), *functions])
    source = f"{header(graph, channels_last=True)}\n{_imports(body)}\n\n\n{body}\n"
    suffixes = [f"{name}.{step.suffix}" for name, layer in layers.items() for step in layer.steps]
    parts = [each.part for each in plan.definitions]
    suffixes += [*sharing.names(parts), *(part.local for part in parts if stages.is_stage(part))]
    prove(source, _meant(layers, plan), names_of(graph, suffixes), _MODULES, SOURCES)
    return source, plan.definitions[-1].name


def _meant(layers: Mapping[str, Layer], plan: Plan) -> Iterator[object]:
    """Every expression of the file, before it is text."""
    for layer in layers.values():
        yield from (step.layer for step in layer.steps)
    for definition in plan.definitions:
        for sketch in definition.sketches.values():
            yield from sketch.calls


def _check_names(graph: Graph) -> None:
    """Raise `SpecError` where two layers would have one name."""
    owners: dict[str, str] = {}
    mistakes: list[Diagnostic] = []
    for node in graph.nodes:
        is_input = node.op.kind == "input"
        if node.shares is not None:
            place = sharing.place(node)
            owners.setdefault(layer_name(f"{place}.order"), place)
            continue
        steps = () if is_input else ROWS[node.op](node.op, *graph.input_shapes(node)).steps
        paths = [node.name] if is_input else []
        paths += [
            f"{node.name}.{step.suffix}" if step.suffix else node.name
            for step in steps
            if not step.expression
        ]
        for name in map(layer_name, paths):
            if owners.setdefault(name, node.name) != node.name:
                mistakes.append(
                    Diagnostic(
                        "name-clash",
                        f"`{owners[name]}` and `{node.name}` would both be the Keras layer `{name}`",
                        help="choose another label",
                        position=graph.positions.get(node.name),
                    )
                )
    if mistakes:
        raise SpecError(*mistakes)


def _layers(graph: Graph) -> dict[str, Layer]:
    """Every node's layer; those that share a detour go through a helper where it is taken more than once.

    A helper makes layers and applies them at once, so it does not serve those that are used again.
    """
    found: dict[str, Layer] = {
        node.name: ROWS[node.op](node.op, *graph.input_shapes(node))
        for node in graph.nodes
        if node.op.kind != "input"
    }
    used_again = {path for n in graph.nodes if n.shares is not None for path in (n.name, n.shares)}
    short = {
        name: layer.short
        for name, layer in found.items()
        if layer.short is not None and name not in used_again
    }
    detours = Counter(each.func for name, each in short.items() if len(found[name].steps) > 1)
    for name, each in short.items():
        if detours[each.func] > 1:
            found[name] = Layer((Step(each, helper=True),))
    return sharing.reversible(graph, found)


def _plan(graph: Graph, layers: Mapping[str, Layer]) -> Plan:
    def describe(leaf: Leaf) -> Sketch:
        steps = layers[leaf.path].steps
        wiring = "; ".join(f"{step.suffix}{step.reads}{step.applied}{step.kept}" for step in steps)
        return Sketch(tuple(step.layer for step in steps), wiring)

    imported = (*IMPORTED, *SOURCES)
    reserved = ("x", "name", *imported)
    names = Names(imported)
    root = outline(graph, groups=False)
    stages.cut(root, layers)
    return define(graph, root, describe, snake, names, reserved, may_lack=_may_lack)


def _may_lack(item: Item, _sketch: Sketch) -> bool:
    """Whether an input may be passed on in place of an item's output."""
    return len(item.outputs) == 1 and not stages.is_stage(item)


def _imports(code: str) -> str:
    used = [name for name in (TENSOR, "initializers", "layers", "ops") if uses(code, name)]
    lines = ["import keras", *(["import numpy as np"] if uses(code, "np") else [])]
    return "\n".join([*lines, *([f"from keras import {', '.join(used)}"] if used else [])])
