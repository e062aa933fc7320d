"""The printed form of a graph, for people: one line for each node, scopes as headings. It is not read back."""

from __future__ import annotations

from netspec.ir import Graph, Node


def to_text(graph: Graph) -> str:
    """The graph as text, one node a line: name, shape, op with its arguments, inputs."""
    width = max((len(node.name) for node in graph.nodes), default=0)
    shapes = max((len(str(node.shape)) for node in graph.nodes), default=0)
    scopes = {scope.path: scope for scope in graph.scopes}
    lines = [f"graph {graph.name}"]
    for node in graph.nodes:
        for end in (i for i, character in enumerate(node.name) if character == "."):
            scope = scopes.pop(node.name[:end], None)
            if scope is not None:
                given = ", ".join(f"{name}={value}" for name, value in scope.arguments.items())
                call = f"{scope.block}({given})" if scope.block else "group"
                lines.append(f"  # {scope.path}: {call}")
        lines.append(f"  %{node.name:<{width}} : {node.shape!s:<{shapes}} = {_call(node)}")
    results = ", ".join(f"{output.name}=%{output.node}" for output in graph.outputs)
    return "\n".join([*lines, f"  return {results}", ""])


def _call(node: Node) -> str:
    """The op with what differs from its defaults."""
    fields = type(node.op).model_fields
    given = [f"%{name}" for name in node.inputs]
    for name, value in node.op:
        if fields[name].is_required() or value != fields[name].default:
            given.append(f"{name}={value}")
    shared = "" if node.shares is None else f" shares %{node.shares}"
    return f"{node.op.kind}({', '.join(given)}){shared}"
