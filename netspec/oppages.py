"""The reference page of an op, from its declaration and the targets' rows. Knows no op by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from string import digits

from netspec.backend import TARGETS, load_backend
from netspec.diagnostics import SpecError
from netspec.examples import example_graph
from netspec.ir import Graph, Node
from netspec.ops import Example, Op, Parting, Weight, all_ops, family_of, partings
from netspec.ops.binding import plain, wanted

_TITLES = {"torch": "PyTorch", "keras": "Keras", "onnx": "ONNX"}
_SIZE = re.compile(r"the size `[^`]*`")
_LIMITS = """# What a target cannot do

Refused with this reason before anything is written; all the rest works everywhere. What is refused where sizes are
known only at run time (`?T`) works as soon as they are numbers.

Some refusals are not one op's: names that a target cannot keep apart (`name-clash`) or may not write (`reserved-name`),
a shared layer of which a use would need other code than the first, and in Keras hundreds of uses of one shared layer
(`too-deep`). In float64, which only `verify` asks for, TensorFlow pools no volumes.
"""


def families() -> dict[str, list[type[Op]]]:
    """The ops of each family, both in the order of their names."""
    found: dict[str, list[type[Op]]] = {}
    for op in sorted([*all_ops(), *partings()], key=lambda op: op.kind):
        if (family := family_of(op)) is not None:
            found.setdefault(family, []).append(op)
    return dict(sorted(found.items()))


def index_page() -> str:
    """All ops by family, with what each is for and the targets that limit it."""
    lines = ["# Ops", "", "One page for each family. Written by `netspec ops --write`.", ""]
    for family, ops in families().items():
        lines += [f"## [{family}]({family}.md)", "", "| op | | limits |", "| --- | --- | --- |"]
        for op in ops:
            limits = ", ".join(target for target in TARGETS if refusals(op, target))
            lines.append(f"| [`{op.kind}`]({family}.md#{op.kind}) | {_summary(op)} | {limits} |")
        lines.append("")
    return "\n".join(lines)


def limits_page() -> str:
    """What each target cannot do, with the reason."""
    lines = [_LIMITS]
    for unsized, title in (
        (False, "At any size"),
        (True, "Where sizes are known only at run time"),
    ):
        lines += [
            f"## {title}",
            "",
            "| op | target | example | reason |",
            "| --- | --- | --- | --- |",
        ]
        for op in all_ops():
            for target in TARGETS:
                for example, reason in refusals(op, target, unsized=unsized):
                    cells = (f"`{op.kind}`", target, f"`{_cell(example.line)}`", _cell(reason))
                    lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def family_page(family: str) -> str:
    """The ops of one family, one after another."""
    return "\n\n".join([f"# {family}", *(op_page(op).strip() for op in families()[family])]) + "\n"


def op_page(op: type[Op]) -> str:
    """What one op is: arguments, shapes, weights, and what it becomes in each target (Markdown)."""
    return "\n".join([f"## {op.kind}", "", *_body(op), ""])


@cache
def refusals(op: type[Op], target: str, *, unsized: bool = False) -> list[tuple[Example, str]]:
    """The examples of an op that a target refuses, each reason once.

    With `unsized` those that it refuses only if all sizes but the channels' are known at run time alone.
    """
    always = {reason for _, reason in refusals(op, target)} if unsized else set()
    found: dict[str, Example] = {}
    rows = load_backend(target).ROWS
    for example in op.examples:
        try:
            graph, nodes = _placed(op, example, unsized)
        except SpecError:
            continue  # the op itself needs the numbers
        for node in nodes:
            reason = rows.reason_against(graph, node)
            if reason is not None and reason not in always:
                found.setdefault(_SIZE.sub("a size", reason), example)
    return [(example, reason) for reason, example in found.items()]


def _body(op: type[Op]) -> Iterator[str]:
    if op.aliases:
        yield f"Also called {', '.join(f'`{alias}`' for alias in op.aliases)}."
        yield ""
    yield inspect.cleandoc(op.__doc__ or "")
    yield ""
    if op.model_fields:
        yield "| argument | takes | default | |"
        yield "| --- | --- | --- | --- |"
        for name, field in op.model_fields.items():
            default = "" if field.is_required() else f"`{plain(field.default)}`"
            takes = _cell(wanted(op, name))
            yield f"| `{name}` | {takes} | {default} | {_cell(field.description or '')} |"
        yield ""
    yield from _examples(op)
    if op.examples and op.kind != "input":
        yield from _becomes(op)


def _examples(op: type[Op]) -> Iterator[str]:
    yield "| example | of | gives | weights |"
    yield "| --- | --- | --- | --- |"
    for example in op.examples:
        graph, nodes = _placed(op, example)
        of = ", ".join(map(str, graph.input_shapes(nodes[0]))) or "-"
        gives = ", ".join(str(node.shape) for node in nodes)
        weights = ", ".join(_weight(w) for node in nodes for _, w in graph.weights_of(node))
        yield f"| `{_cell(example.line)}` | {of} | {gives} | {weights} |"
    yield ""


def _weight(weight: Weight) -> str:
    name = f"`{weight.name}`" if weight.name else "(the step's own name)"
    return f"{name} {' x '.join(map(str, weight.shape))}{'' if weight.trainable else ' (fixed)'}"


def _becomes(op: type[Op]) -> Iterator[str]:
    """What the first example becomes, and what a target refuses."""
    for target in TARGETS:
        backend = load_backend(target)
        refused = refusals(op, target)
        for example in op.examples:
            graph, nodes = _placed(op, example)
            if all(backend.ROWS.reason_against(graph, node) is None for node in nodes):
                made = ", ".join(f"`{backend.describe(graph, node)}`" for node in nodes)
                yield f"- {_TITLES[target]}, `{example.line}`: {made}"
                break
        for example, reason in refused:
            yield f"- {_TITLES[target]} refuses `{example.line}`: {reason}."
        for example, reason in refusals(op, target, unsized=True):
            yield f"- {_TITLES[target]} refuses `{example.line}` at unknown sizes: {reason}."


@cache
def _placed(op: type[Op], example: Example, unsized: bool = False) -> tuple[Graph, list[Node]]:
    """The example's graph, and the op's node in it, or those that a parting stands for."""
    graph = example_graph(op, example, unsized=unsized)
    if issubclass(op, Parting):
        return graph, [node for node in graph.nodes if node.name.rstrip(digits) == op.kind]
    return graph, [next(node for node in reversed(graph.nodes) if type(node.op) is op)]


def _summary(op: type[Op]) -> str:
    return _cell(inspect.cleandoc(op.__doc__ or "").split("\n\n")[0].replace("\n", " "))


def _cell(text: str) -> str:
    """Text that does not end a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
