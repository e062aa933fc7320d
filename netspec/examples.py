"""An op's examples as specs and graphs: for its reference page, and for the tests that run every op."""

from __future__ import annotations

from netspec.compiler import parse
from netspec.ir import Graph
from netspec.ops import Example, Op
from netspec.shape import Shape


def example_spec(op: type[Op], example: Example, *, unsized: bool = False) -> str:
    """The example's line behind inputs of its shapes, which its branches call `@a`, `@b`, `@c`.

    `unsized` inputs have a size known only at run time along every axis but the channels: `?H4` for
    a height of 4, so that what is equal in the example stays equal.
    """
    kind = " dtype=int" if "float" not in op.dtypes else ""
    inputs = [f"input {' '.join(_sizes(shape, kind, unsized))}{kind}" for shape in example.inputs]
    if op.merges:
        named = [f"@{name} = {line}" for name, line in zip("abcdefgh", inputs, strict=False)]
        return "\n".join([*named, f"@a -> {example.line}"])
    return "\n-> ".join([*inputs, example.line])


def _sizes(shape: tuple[int, ...], kind: str, unsized: bool) -> list[str]:
    axes = Shape.of(*shape, dtype="int" if kind else "float").axes
    return [
        f"?{axis.upper()}{size}" if unsized and axis != "c" else str(size)
        for axis, size in zip(axes, shape, strict=True)
    ]


def example_graph(op: type[Op], example: Example, *, unsized: bool = False) -> Graph:
    """The graph of `example_spec`, called as the op. Raises `SpecError` where the op needs the sizes."""
    return parse(example_spec(op, example, unsized=unsized), name=f"{op.kind}.net")
