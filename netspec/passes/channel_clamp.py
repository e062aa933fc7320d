"""Takes affine maps from behind ReLUs into the layers before them. For inference in INT8."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netspec.backend import need
from netspec.ir import Graph, Node
from netspec.ops import Op
from netspec.ops.activation.lines import HardTanh
from netspec.ops.activation.rectifiers import Relu, Relu6
from netspec.ops.math import Clamp
from netspec.ops.merge import Maximum, Minimum
from netspec.ops.pool import MaxPool
from netspec.passes import Model, Note
from netspec.passes.affine.absorb import takes_from_behind
from netspec.passes.affine.draft import Draft
from netspec.passes.affine.maps import MAPS, Blocked, Map
from netspec.passes.affine.waves import Stuck, go_back
from netspec.passes.constants import constant, free_name
from netspec.passes.rewrite import carry, expand, followed, rewrite

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")

_STEP = "channel-clamp"


class _Bounds(NamedTuple):
    """The least and the greatest value of each channel, and the node in whose place they stand, or behind which."""

    low: Array
    high: Array
    place: str


def channel_clamp(model: Model) -> Model:
    """The model without the affine maps that stand directly behind a ReLU or a clamp.

    1. `scale * relu(x) + shift` is `scale * x + shift`, but at least `shift`, or at most, where the scale is
       negative. So the map goes into the layers before the ReLU as in `affine_backward`, and the ReLU becomes a
       `max` with a `param`, a `min`, or both: bounds of each channel's own. What reads the map does not
       matter; padding stays right, since the value is what it was.
    2. ReLU, ReLU6, `hardtanh` and `clamp` are alike in that.
    3. Bounds of channels and a max pool may change places: behind the pool there is less to compare.
    4. The arithmetic is float64, from the weights, which must be known.
    5. A map stays where it is shared, something else reads the ReLU, the layers before it cannot take it, or sizes
       are known only at run time.

    The network computes the same up to rounding. In float32 the comparison costs as much as the batch norm did; of
    8-bit codes it costs next to nothing, while a batch norm is computed in float32, with conversions around it.
    """
    if model.weights is None:
        return _without_numbers(model)
    draft = Draft(model)
    bounds: dict[str, _Bounds] = {}
    dropped: dict[str, str] = {}
    for node in reversed(model.graph.nodes):  # the maps that are still to come lie in front
        if not isinstance(node.op, MAPS):
            continue
        try:
            source, change = _clamped(draft, node)
            plan = go_back(draft, {source.name: change}, takes_from_behind)
        except (Blocked, Stuck) as reason:
            draft.notes.append(Note(_STEP, node.name, False, f"stays: {reason}"))
            continue
        draft.apply(plan._replace(dropped=()))
        place = _place(draft, source, node)
        bounds[source.name] = _Bounds(*_ends(source.op, change), place)
        dropped[node.name] = source.name if place == source.name else source.inputs[0]
        if place != source.name:
            dropped[source.name] = source.inputs[0]
        text = f"into {plan.where}, and `{source.name}` has bounds for each channel"
        draft.notes.append(Note(_STEP, node.name, True, text))
    found = draft.finish()
    graph = rewrite(found.graph, {}, followed(dropped))
    weights = dict(found.weights or {})
    nodes: dict[str, list[Node]] = {}
    for name, each in bounds.items():
        nodes[each.place], values = _comparisons(graph, name, each)
        weights |= values
    return carry(found._replace(weights=weights), expand(graph, nodes), ())


def _without_numbers(model: Model) -> Model:
    names = [node.name for node in model.graph.nodes if isinstance(node.op, MAPS)]
    notes = (Note(_STEP, name, False, "stays: its numbers are not known") for name in names)
    return model._replace(notes=(*model.notes, *notes))


def _limits(op: Op) -> tuple[float, float] | None:
    """Between what an op keeps its input, if that is all that it does."""
    match op:
        case Relu():
            return 0, np.inf
        case Relu6():
            return 0, 6
        case HardTanh():
            return -1, 1
        case Clamp():
            low = -np.inf if op.low is None else op.low
            return low, np.inf if op.high is None else op.high
    return None


def _clamped(draft: Draft, node: Node) -> tuple[Node, Map]:
    """The ReLU in front of a map, and the map. Raises `Blocked`."""
    graph = draft.model.graph
    source = graph.by_name[node.inputs[0]]
    if _limits(source.op) is None:
        raise Blocked(f"`{source.name}` is no relu")
    if any(len(draft.uses[draft.owners[each.name]]) > 1 for each in (node, source)):
        raise Blocked("is shared")
    if set(graph.readers[source.name]) != {node.name} or source.name in draft.results:
        raise Blocked(f"something else reads `{source.name}`, too")
    if node.shape.unknowns:
        raise Blocked("has sizes that are known only at run time")
    return source, draft.map(node.name)


def _place(draft: Draft, source: Node, node: Node) -> str:
    """Where the bounds go: behind a max pool that alone reads the map, or where the ReLU is."""
    readers = [draft.model.graph.by_name[name] for name in draft.model.graph.readers[node.name]]
    if [type(reader.op) for reader in readers] == [MaxPool] and node.name not in draft.results:
        (pool,) = readers
        if len(draft.uses[draft.owners[pool.name]]) == 1:
            return pool.name
    return source.name


def _ends(op: Op, change: Map) -> tuple[Array, Array]:
    """The least and the greatest value that a map makes of what an op gives."""
    limits = _limits(op)
    assert limits is not None
    with np.errstate(invalid="ignore"):  # 0 times infinity: what is multiplied by 0 is 0
        one, other = (np.where(change.scale == 0, 0, change.scale * limit) for limit in limits)
    return np.minimum(one, other) + change.shift, np.maximum(one, other) + change.shift


def _comparisons(graph: Graph, name: str, bounds: _Bounds) -> tuple[list[Node], dict[str, Array]]:
    """The nodes for one place, of which the last one has the name, and the weights of those that have some."""
    place = graph.by_name[bounds.place]
    behind = place.name != name
    source = place.name if behind else place.inputs[0]
    nodes: list[Node] = [place] if behind else []
    weights: dict[str, Array] = {}
    sides = [("low", Maximum(), bounds.low), ("high", Minimum(), bounds.high)]
    sides = [side for side in sides if np.isfinite(side[2]).any()]
    for count, (word, op, values) in enumerate(sides, start=1):
        held = constant(graph, f"{name}_{word}", place.shape, source)
        own = name if count == len(sides) else free_name(graph, f"{name}_above")
        nodes += [held, Node(name=own, op=op, inputs=(source, held.name), shape=place.shape)]
        weights[held.name] = np.broadcast_to(values, (1, *place.shape.sizes))
        source = own
    return nodes, weights
