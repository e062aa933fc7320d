"""Where the unknown sizes of a graph meet actual ones. Knows no array and no target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from netspec.diagnostics import Diagnostic, SpecError
from netspec.dim import Dim, UnknownSize, below
from netspec.dim import bind as bind_size
from netspec.dim import unknowns as names_in
from netspec.ir import Graph, Node
from netspec.ops import Op, Rejected
from netspec.shape import Shape

_TRIED = (4, 8, 16, 32, 64, 128, 256, 512, 2, 1)
"""Least sizes to try, one after another."""


def unknowns(graph: Graph) -> tuple[str, ...]:
    """The names of the sizes that are known only at run time, in the order of the inputs' axes."""
    found = {
        name: None
        for node in graph.inputs
        for size in node.shape.sizes
        if isinstance(size, Dim)
        for name in sorted(size.unknowns)
    }
    return tuple(found)


def bind(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph with these unknowns known: the same nodes, every shape inferred anew.

    Unknowns that `sizes` does not have stay unknown. Raises `SpecError` where an op cannot take them.
    """
    if not sizes or not unknowns(graph):
        return graph
    shapes: dict[str, Shape] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = [shapes[name] for name in node.inputs]
        try:
            op = bind_op(node.op, sizes).settle(*inputs)
            shapes[node.name] = op.infer(*inputs)
            if any(below(size, 1) for size in shapes[node.name].sizes):
                raise Rejected("empty-output", f"it would be {shapes[node.name]}")
        except Rejected as error:
            reason = error.message
        except UnknownSize as error:
            reason = str(error)
        else:
            nodes.append(node.model_copy(update={"op": op, "shape": shapes[node.name]}))
            continue
        given = ", ".join(f"{name} = {sizes[name]}" for name in unknowns(graph) if name in sizes)
        message = f"`{graph.name}` cannot take {given}, because of `{node.name}`: {reason}"
        at = graph.positions.get(node.name)
        raise SpecError(Diagnostic("impossible-size", message, position=at))
    return graph.having(nodes=tuple(nodes))


def propose(graph: Graph, draw: Callable[[int, int], int]) -> dict[str, int]:
    """Sizes that the graph can take, small ones where it can; `draw(low, high)` chooses below `high`.

    Raises `SpecError` where none are found.
    """
    reason: SpecError | None = None
    for least in _TRIED:
        sizes = {name: draw(least, 2 * least) for name in unknowns(graph)}
        try:
            bind(graph, sizes)
        except SpecError as error:
            reason = reason or error
        else:
            return sizes
    assert reason is not None
    raise reason


def bind_op(op: Op, sizes: Mapping[str, int]) -> Op:
    """The op with the unknowns known that stand in its arguments."""
    given = {name: value for name, value in op if isinstance(value, tuple | Dim)}
    bound = {name: bind_size(value, sizes) for name, value in given.items()}
    changed = {name: value for name, value in bound.items() if value != given[name]}
    return op.model_copy(update=changed) if changed else op


def unknowns_of(op: Op, *shapes: Shape) -> frozenset[str]:
    """The names of the unknown sizes that stand in an op's arguments or in these shapes."""
    names = frozenset[str]().union(*(shape.unknowns for shape in shapes))
    return names.union(*(names_in(value) for _, value in op))


def measure(graph: Graph, shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """What the unknowns are where the inputs have these sizes, the batch not counted.

    Raises one `SpecError` for sizes that are not the spec's, and unknowns that would be two things.
    """
    found: dict[str, tuple[int, str]] = {}
    mistakes: list[Diagnostic] = []
    wanted = [
        (node, size, actual)
        for node in graph.inputs
        for size, actual in zip(node.shape.sizes, shapes[node.name], strict=False)
    ]
    for node in graph.inputs:
        if len(shapes[node.name]) != len(node.shape.sizes):
            mistakes.append(_misfit(node, shapes[node.name]))
    for node, size, actual in wanted:
        if not isinstance(size, Dim) or (form := size.affine) is None:
            continue
        name, factor, offset = form
        value, rest = divmod(actual - offset, factor)
        if rest or value < 1:
            what = f"{actual} is not `{size}` for any {name} of 1 or more"
            mistakes.append(_misfit(node, shapes[node.name], what))
        known, origin = found.setdefault(name, (value, node.name))
        if not rest and known != value:
            message = f"`{node.name}` makes {name} {value}, but `{origin}` makes it {known}"
            mistakes.append(Diagnostic("unequal-inputs", message))
    values = {name: value for name, (value, _) in found.items()}
    for node, size, actual in wanted:
        solved = isinstance(size, Dim) and size.affine is not None
        if not solved and (should := bind_size(size, values)) != actual:
            mistakes.append(_misfit(node, shapes[node.name], f"{actual} should be {should}"))
    if mistakes:
        raise SpecError(*dict.fromkeys(mistakes))
    return values


def _misfit(node: Node, actual: Sequence[int], reason: str | None = None) -> Diagnostic:
    given = " x ".join(map(str, actual)) or "a single number"
    message = f"`{node.name}` takes {node.shape}, got {given}{f': {reason}' if reason else ''}"
    return Diagnostic("wrong-input-size", message, position=None)
