"""Makes one layer of two linear ones in a row. For inference only."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from netspec.dim import below
from netspec.ir import Graph, Node
from netspec.ops.base import Op
from netspec.ops.bilinear import Bilinear
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.embedding import Embed
from netspec.passes import Model, Note
from netspec.passes.affine.absorb import Absorbed, check_finite, uneven
from netspec.passes.affine.maps import Blocked
from netspec.passes.kernel import LINEAR, Linear, read_kernel, write_kernel
from netspec.passes.rewrite import carry, rewrite
from netspec.passes.uses import uses_by_owner
from netspec.shape import Shape

if TYPE_CHECKING:
    from netspec.weights import Weights

_STEP = "merge-linear"
_BIASED = (Conv, ConvTranspose, Dense, Bilinear)


def merge_linear(model: Model) -> Model:
    """The model with one layer in place of two linear ones, where that takes no more work.

    1. Dense after dense or after an embedding, a 1 x 1 convolution after or before any other: one of the
       two acts at each position alone. It goes, and the other does the work of both.
    2. Nothing else reads the first, it is no result, and neither shares its weights.
    3. The one layer has no more multiply-adds than the two, and no more weights.
    4. Where the second pads with zeros or sums unevenly, the first adds nothing.
    5. Layers stay whose weights would not be finite.

    The network computes the same up to rounding; doing it once more changes nothing.
    """
    notes: dict[str, Note] = {}
    while (found := _first_merge(model, notes)) is not None:
        model = found
    return carry(model, model.graph, notes.values())


def _first_merge(model: Model, notes: dict[str, Note]) -> Model | None:
    """The model after one merge, or None where there is none; notes of what was tried."""
    for node in model.graph.nodes:
        pair = _pair(model.graph, node)
        if pair is None:
            continue
        try:
            _check_alone(model.graph, pair)
            merged = _merged(model, pair)
        except Blocked as reason:
            notes[node.name] = Note(_STEP, node.name, False, f"stays: {reason}")
            continue
        notes[pair.gone.name] = Note(_STEP, pair.gone.name, True, f"into `{pair.kept.name}`")
        return merged
    return None


class _Pair(NamedTuple):
    """Two linear layers in a row. One acts at each position alone, and goes."""

    first: Node
    second: Node
    gone: Node

    @property
    def kept(self) -> Node:
        """The other one."""
        return self.first if self.gone is self.second else self.second


def _pair(graph: Graph, second: Node) -> _Pair | None:
    if not isinstance(second.op, Conv | ConvTranspose | Dense):
        return None
    first = graph.by_name[second.inputs[0]]
    if not isinstance(first.op, LINEAR):
        return None
    if _is_pointwise(second.op):
        return _Pair(first, second, second)
    return _Pair(first, second, first) if _is_pointwise(first.op) else None


def _is_pointwise(op: Op) -> bool:
    """Whether a layer maps the channels of each position, and nothing else."""
    if isinstance(op, Conv | ConvTranspose):
        pads = op.padding if op.padding != "same" else ()
        extra = op.output_padding if isinstance(op, ConvTranspose) else ()
        return {*op.kernel, *op.stride} == {1} and not any((*pads, *extra))
    return isinstance(op, Dense)


def _check_alone(graph: Graph, pair: _Pair) -> None:
    first, second, _ = pair
    if first.name in {output.node for output in graph.outputs}:
        raise Blocked(f"`{first.name}` is a result of the network")
    for reader in graph.readers[first.name]:
        if reader != second.name:
            raise Blocked(f"`{reader}` reads `{first.name}` too")
    uses = uses_by_owner(graph)
    for node in (first, second):
        for other in uses[graph.owner(node).name]:
            if other is not node:
                raise Blocked(f"`{node.name}` shares its weights with `{other.name}`")


def _merged(model: Model, pair: _Pair) -> Model:
    """The model after the merge. Raises `Blocked`."""
    graph, weights = model.graph, model.weights
    first, second, gone = pair
    biased = any(isinstance(n.op, _BIASED) and n.op.bias for n in (first, second))
    if weights is None:
        absorbed = Absorbed(_op_of_both(pair, biased), {})
        adds = isinstance(first.op, _BIASED) and first.op.bias
    else:
        absorbed, adds = _computed(pair, weights)
    _check_even(pair, adds)
    _check_cost(graph, pair, absorbed.op)
    check_finite(absorbed)
    update = {"op": absorbed.op, "inputs": first.inputs, "shape": second.shape}
    changed = {pair.kept.name: pair.kept.model_copy(update=update)}
    instead = first.name if gone is second else first.inputs[0]
    after = rewrite(graph, changed, {gone.name: instead})
    kept = None if weights is None else {**weights, **absorbed.weights}
    return carry(model._replace(weights=kept), after, ())


def _computed(pair: _Pair, weights: Weights) -> tuple[Absorbed, bool]:
    """The layer in place of both, and whether the first adds anything."""
    assert isinstance(pair.first.op, LINEAR)
    assert isinstance(pair.second.op, LINEAR)
    before = read_kernel(pair.first.op, weights, pair.first.name)
    adds = before.bias is not None and bool(before.bias.any())
    after = read_kernel(pair.second.op, weights, pair.second.name)
    whole = after.after(before if adds else before._replace(bias=None))
    op = _op_of_both(pair, whole.bias is not None)
    return Absorbed(op, write_kernel(op, whole, pair.kept.name)), adds


def _op_of_both(pair: _Pair, is_biased: bool) -> Linear:
    """The op that stays, with the inputs of the first and the outputs of the second."""
    outputs = pair.second.shape.axis("c")
    update: dict[str, object] = {"bias": is_biased}
    match pair.kept.op:
        case Conv() | ConvTranspose():
            groups = {_groups(pair.first.op), _groups(pair.second.op)}
            update |= {"filters": outputs, "groups": groups.pop() if len(groups) == 1 else 1}
        case Embed():
            update = {"dim": outputs}
        case _:
            update |= {"units": outputs}
    op = pair.kept.op.model_copy(update=update)
    assert isinstance(op, LINEAR)
    return op


def _groups(op: Op) -> int:
    return op.groups if isinstance(op, Conv | ConvTranspose) else 1


def _check_even(pair: _Pair, adds: bool) -> None:
    second = pair.second.op
    assert isinstance(second, Conv | ConvTranspose | Dense)
    if adds and (reason := uneven(second)) is not None:
        raise Blocked(f"`{pair.second.name}` {reason}, and `{pair.first.name}` adds a bias")


def _check_cost(graph: Graph, pair: _Pair, op: Op) -> None:
    nodes, inputs = (pair.first, pair.second), graph.input_shapes(pair.first)
    old = [(n.op, n.shape, graph.input_shapes(n)) for n in nodes]
    for what, count in (("multiply-adds", _macs), ("weights", _weights)):
        now, before = count(op, pair.second.shape, inputs), sum(count(*each) for each in old)
        if below(before, now):
            names = f"`{pair.first.name}` and `{pair.second.name}`"
            raise Blocked(f"one layer for {names} would have {now:,} {what}, not {before:,}")


def _macs(op: Op, output: Shape, inputs: tuple[Shape, ...]) -> int:
    return op.macs(output, *inputs)


def _weights(op: Op, output: Shape, inputs: tuple[Shape, ...]) -> int:
    del output
    return sum(prod(weight.shape) for weight in op.weights(*inputs))
