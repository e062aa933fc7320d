"""An op's examples as specs and graphs: for its reference page, and for the tests that run every op."""

from __future__ import annotations

from netspec.compiler import parse
from netspec.ir import Graph
from netspec.ops import Example, Op


def example_spec(op: type[Op], example: Example) -> str:
    """The example's line behind inputs of its shapes, which its branches call `@a`, `@b`, `@c`."""
    kind = " dtype=int" if "float" not in op.dtypes else ""
    inputs = [f"input {' '.join(map(str, shape))}{kind}" for shape in example.inputs]
    if op.merges:
        named = [f"@{name} = {line}" for name, line in zip("abcdefgh", inputs, strict=False)]
        return "\n".join([*named, f"@a -> {example.line}"])
    return "\n-> ".join([*inputs, example.line])


def example_graph(op: type[Op], example: Example) -> Graph:
    """The graph of `example_spec`, called as the op."""
    return parse(example_spec(op, example), name=f"{op.kind}.net")
