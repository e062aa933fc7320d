"""What a network costs, layer by layer: shapes, parameters, multiply-adds, memory. Renders nothing in colour."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import prod
from typing import NamedTuple

from netspec.dim import Dim, UnknownSize
from netspec.ir import Graph

FLOAT_BYTES = 4
LONGEST = 32
"""Characters of a formula in a table."""
UNREADABLE = "depends on the sizes"


class Row(NamedTuple):
    """One layer. Shapes and counts are for one example, formulas where sizes are known only at run time.

    A layer that shares the weights of another has none itself.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    trainable: int
    fixed: int
    macs: int


class Summary(NamedTuple):
    """All layers, and what they come to. Bytes are those of float32.

    What depends on sizes known only at run time is a formula, or None where that would be beyond reading.
    """

    name: str
    rows: tuple[Row, ...]
    trainable: int
    fixed: int
    macs: int | None
    input_bytes: int | None
    activation_bytes: int | None
    weight_bytes: int


def summarize(graph: Graph) -> Summary:
    """What a network costs, layer by layer and in all: shapes, parameters, multiply-adds, memory in float32.

    Everything is for one example. What depends on sizes known only at run time is a formula of them.
    """
    rows = []
    for node in graph.nodes:
        weights = [weight for _, weight in graph.weights_of(node) if node.shares is None]
        sizes = [(prod(weight.shape), weight.trainable) for weight in weights]
        trainable = sum(size for size, learned in sizes if learned)
        fixed = sum(size for size, learned in sizes if not learned)
        macs = node.op.macs(node.shape, *graph.input_shapes(node))
        rows.append(Row(node.name, node.op.kind, node.shape.sizes, trainable, fixed, macs))
    trainable, fixed = sum(row.trainable for row in rows), sum(row.fixed for row in rows)
    computed = [node for node in graph.nodes if node.op.kind != "input"]
    return Summary(
        graph.name,
        tuple(rows),
        trainable,
        fixed,
        _total(row.macs for row in rows),
        _total(node.shape.elements * FLOAT_BYTES for node in graph.inputs),
        _total(node.shape.elements * FLOAT_BYTES for node in computed),
        (trainable + fixed) * FLOAT_BYTES,
    )


def _total(counts: Iterable[int]) -> int | None:
    """The sum, or None where it is no readable formula."""
    try:
        return sum(counts)
    except UnknownSize:
        return None


def to_table(summary: Summary) -> str:
    """The summary as text, for a terminal of any width."""
    head = ("layer", "op", "output", "parameters", "multiply-adds")
    body = [
        (
            row.name,
            row.op,
            " x ".join(map(str, row.shape)),
            f"{row.trainable + row.fixed:,}" if row.trainable + row.fixed else "-",
            "-" if row.macs == 0 else _readable(row.macs),
        )
        for row in summary.rows
    ]
    widths = [max(len(row[i]) for row in (head, *body)) for i in range(len(head))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def line(cells: tuple[str, ...]) -> str:
        left = [cell.ljust(width) for cell, width in zip(cells[:3], widths[:3], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True)]
        return "  ".join([*left, *right]).rstrip()

    totals = [
        ("parameters", f"{summary.trainable + summary.fixed:,}"),
        ("  trainable", f"{summary.trainable:,}"),
        ("  not trainable", f"{summary.fixed:,}"),
        ("multiply-adds", _readable(summary.macs)),
        ("input", _megabytes(summary.input_bytes)),
        ("activations", _megabytes(summary.activation_bytes)),
        ("weights", _megabytes(summary.weight_bytes)),
    ]
    wide = max(len(value) for _, value in totals)
    lines = [f"{name:<16}{value:>{wide}}" for name, value in totals]
    title = f"{summary.name} (one example, float32)"
    return "\n".join([title, rule, line(head), rule, *map(line, body), rule, *lines, ""])


def _readable(count: int | None) -> str:
    """A number, a formula, or that it is one too long for a table."""
    text = "" if count is None else f"{count:,}"
    return text if 0 < len(text) <= LONGEST else UNREADABLE


def _megabytes(count: int | None) -> str:
    if count is not None and not isinstance(count, Dim):
        return f"{count / 2**20:,.2f} MiB"
    formula = _readable(count)
    return formula if formula == UNREADABLE else f"{formula} bytes"


def to_json(summary: Summary) -> str:
    """The summary for programs."""
    content = {**summary._asdict(), "rows": [row._asdict() for row in summary.rows]}
    return json.dumps(content, indent=2, default=str) + "\n"
