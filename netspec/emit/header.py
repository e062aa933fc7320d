"""The docstring at the top of every emitted file."""

from __future__ import annotations

import re
from math import prod
from pathlib import PurePath

from netspec.ir import Graph
from netspec.shape import Shape


def header(graph: Graph, *, channels_last: bool) -> str:
    """Where the file came from, what goes in and out, and how large the network is."""
    lines = [("Input", node.name, node.shape) for node in graph.inputs]
    lines += [("Output", output.name, graph.by_name[output.node].shape) for output in graph.outputs]
    rows = []
    for role in ("Input", "Output"):
        mine = [(name, shape) for each, name, shape in lines if each == role]
        for name, shape in mine:
            label = f"{role}:" if len(mine) == 1 else f"{role} `{name}`:"
            rows.append(f"{label:<8} {_batched(shape, channels_last)}")
    trainable = sum(prod(weight.shape) for _, weight in graph.weights() if weight.trainable)
    rows.append(f"Weights: {trainable:,} trainable parameters")
    if graph.inference_only:
        rows.append("Rewritten for inference: it does not train as the spec does.")
    title = _plain(f"{graph.name}, compiled by netspec{_origin(graph)}.")
    return "\n".join([f'"""{title}', "", *rows, '"""', ""])


def is_emitted(content: bytes) -> bool:
    """Whether a file begins as all do that netspec emits."""
    return re.match(rb'"""[^\n]*, compiled by netspec', content) is not None


def _plain(text: str) -> str:
    """Text that cannot end the docstring or escape from it."""
    return re.sub(r"[^\w .,()-]", "_", text)


def _batched(shape: Shape, channels_last: bool) -> str:
    sizes = shape.sizes
    last = channels_last and shape.kind in ("image", "volume")
    if last:
        sizes = (*sizes[1:], sizes[0])
    kind = "float32" if shape.dtype == "float" else "int64"
    listed = ", ".join(map(str, sizes))
    return f"(N, {listed}) {kind}{', channels last' if last else ''}"


def _origin(graph: Graph) -> str:
    """The file that the spec was read from; a text from elsewhere has a name in angle brackets."""
    files = {position.file for position in graph.positions.values()}
    names = sorted(PurePath(file).name for file in files if not file.startswith("<"))
    return f" from {names[0]}" if names else ""
