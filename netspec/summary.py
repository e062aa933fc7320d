"""What a network costs, layer by layer: shapes, parameters, multiply-adds, memory. Renders nothing in colour."""

from __future__ import annotations

import json
from math import prod
from typing import NamedTuple

from netspec.ir import Graph

FLOAT_BYTES = 4


class Row(NamedTuple):
    """One layer. Shapes and counts are for one example."""

    name: str
    op: str
    shape: tuple[int, ...]
    trainable: int
    fixed: int
    macs: int


class Summary(NamedTuple):
    """All layers, and what they come to. Bytes are those of float32."""

    name: str
    rows: tuple[Row, ...]
    trainable: int
    fixed: int
    macs: int
    input_bytes: int
    activation_bytes: int
    weight_bytes: int


def summarize(graph: Graph) -> Summary:
    """Count a graph."""
    rows = []
    for node in graph.nodes:
        weights = [weight for _, weight in graph.weights_of(node)]
        sizes = [(prod(weight.shape), weight.trainable) for weight in weights]
        trainable = sum(size for size, learned in sizes if learned)
        fixed = sum(size for size, learned in sizes if not learned)
        macs = node.op.macs(node.shape, *graph.input_shapes(node))
        rows.append(Row(node.name, node.op.kind, node.shape.sizes, trainable, fixed, macs))
    trainable, fixed = sum(row.trainable for row in rows), sum(row.fixed for row in rows)
    inputs = sum(node.shape.elements for node in graph.inputs)
    everything = sum(node.shape.elements for node in graph.nodes)
    return Summary(
        graph.name,
        tuple(rows),
        trainable,
        fixed,
        sum(row.macs for row in rows),
        inputs * FLOAT_BYTES,
        (everything - inputs) * FLOAT_BYTES,
        (trainable + fixed) * FLOAT_BYTES,
    )


def to_table(summary: Summary) -> str:
    """The summary as text, for a terminal of any width."""
    head = ("layer", "op", "output", "parameters", "multiply-adds")
    body = [
        (
            row.name,
            row.op,
            " x ".join(map(str, row.shape)),
            f"{row.trainable + row.fixed:,}" if row.trainable + row.fixed else "-",
            f"{row.macs:,}" if row.macs else "-",
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
        ("multiply-adds", f"{summary.macs:,}"),
        ("input", _megabytes(summary.input_bytes)),
        ("activations", _megabytes(summary.activation_bytes)),
        ("weights", _megabytes(summary.weight_bytes)),
    ]
    wide = max(len(value) for _, value in totals)
    lines = [f"{name:<16}{value:>{wide}}" for name, value in totals]
    title = f"{summary.name} (one example, float32)"
    return "\n".join([title, rule, line(head), rule, *map(line, body), rule, *lines, ""])


def _megabytes(count: int) -> str:
    return f"{count / 2**20:,.2f} MiB"


def to_json(summary: Summary) -> str:
    """The summary for programs."""
    content = {**summary._asdict(), "rows": [row._asdict() for row in summary.rows]}
    return json.dumps(content, indent=2) + "\n"
