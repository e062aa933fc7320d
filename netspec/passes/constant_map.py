"""Takes affine maps out from in front of zero-padded convolutions. For inference in INT8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from netspec.backend import need
from netspec.dim import Dim
from netspec.ir import Graph, Node
from netspec.ops.conv import Conv
from netspec.ops.merge import Add
from netspec.passes import Model, Note
from netspec.passes.affine.maps import MAPS, Blocked, Map, read_map
from netspec.passes.affine.through import forward
from netspec.passes.constants import constant, free_name
from netspec.passes.kernel import Kernel, read_kernel, write_kernel
from netspec.passes.rewrite import expand, rewrite
from netspec.shape import Shape, split_pads

if TYPE_CHECKING:
    import numpy as np

    from netspec.weights import Array
else:
    np = need("numpy", "weights")


def constant_map(model: Model) -> Model:
    """The model without the affine maps that stand in front of convolutions.

    1. A map (batch norm, `scale`, `shift`, ...) goes where all that reads it are convolutions that pad with zeros,
       or not at all, through whatever lets the map pass (`affine.through`: pools, for one).
    2. Its scales go into the filters. Its shifts meet the padding, which is zero behind the map: what they become
       is not one number for each filter, but one for each filter and position. What it is where no padding is
       read goes into the bias; where the padding makes a difference, the rest is a `param` of the output's
       shape, which is added. So it is zero but at the borders, and small: rounded to 8 bits, it costs little.
    3. The arithmetic is float64, from the weights, which must be known.
    4. A map stays where it or a reader is shared, has numbers that are not finite, or sizes that are known only at
       run time.

    The network computes the same up to rounding. In float32 the addition costs more than a batch norm; in INT8 less,
    since a batch norm there is computed in float32, with conversions around it.
    """
    for node in reversed(model.graph.nodes):  # of maps in a row the last one first
        if not isinstance(node.op, MAPS):
            continue
        try:
            model = _folded(model, node)
        except Blocked as blocked:
            model = _noted(model, node, changed=False, text=f"stays: {blocked}")
    return model


def _noted(model: Model, node: Node, *, changed: bool, text: str) -> Model:
    return model._replace(notes=(*model.notes, Note("constant-map", node.name, changed, text)))


def _folded(model: Model, node: Node) -> Model:
    """The model without one map. Raises `Blocked`."""
    graph, weights = model.graph, model.weights
    if weights is None:
        raise Blocked("its numbers are not known")
    node = graph.by_name[node.name]
    if node.shares is not None or _is_shared(graph, node):
        raise Blocked("is shared")
    change = read_map(node.op, node.shape, weights, node.name)
    kept = dict(weights)
    changed: dict[str, list[Node]] = {}
    found = list(_readings(graph, node, change))
    for conv, before in found:
        assert isinstance(conv.op, Conv)
        (x,) = graph.input_shapes(conv)
        scale, shift = before.per_channel(x)
        kernel = read_kernel(conv.op, weights, conv.name)
        reply = _reply(conv.op, kernel, shift, x, conv.shape)
        inner = kernel.of_constants(shift)
        kept |= write_kernel(conv.op, kernel.with_inputs_scaled(scale).plus(inner), conv.name)
        changed[conv.name] = [_biased(conv)]
        if not _is_alike(reply):
            changed[conv.name] = _addition(graph, _biased(conv))
            rest = reply - inner.reshape(-1, *(1,) * (reply.ndim - 1))
            held = changed[conv.name][1].name
            kept[held] = np.moveaxis(rest, 0, conv.shape.axes.index("c"))[None]
    convs = [conv for conv, _ in found]
    if not all(np.isfinite(kept[name]).all() for conv in convs for name in _own(kept, conv)):
        raise Blocked("would give weights that are not finite")
    graph = rewrite(expand(graph, changed), {}, {node.name: node.inputs[0]})
    names = {name for name, _ in graph.weights()}
    kept = {name: array for name, array in kept.items() if name in names}
    text = f"into {', '.join(conv.name for conv in convs)}"
    return _noted(model._replace(graph=graph, weights=kept), node, changed=True, text=text)


def _own(weights: Mapping[str, Array], conv: Node) -> list[str]:
    """The names of the convolution's weights."""
    names = (f"{conv.name}.weight", f"{conv.name}.bias")
    return [name for name in names if name in weights]


def _readings(graph: Graph, node: Node, change: Map) -> Iterator[tuple[Node, Map]]:
    """The convolutions that read a node, through whatever lets its map pass, and the map in front of each.

    Raises `Blocked` unless all that reads it ends there.
    """
    if node.name in {output.node for output in graph.outputs}:
        raise Blocked(f"`{node.name}` is a result")
    for reader in (graph.by_name[name] for name in graph.readers[node.name]):
        if isinstance(reader.op, Conv):
            _check(graph, reader)
            yield reader, change
        else:
            yield from _readings(graph, reader, _passed(reader, node, change))


def _passed(reader: Node, node: Node, change: Map) -> Map:
    """The map of a node as it is behind one of its readers. Raises `Blocked`."""
    if len(reader.inputs) > 1:
        raise Blocked(f"`{reader.name}` reads something else, too")
    try:
        return forward(reader.op, (node.shape,), reader.shape, [change])
    except Blocked as blocked:
        raise Blocked(f"`{reader.name}` {blocked}") from None


def _check(graph: Graph, conv: Node) -> None:
    """Raise `Blocked` where a convolution cannot take a map."""
    assert isinstance(conv.op, Conv)
    if conv.op.mode != "zeros":
        raise Blocked(f"`{conv.name}` pads with values of the input")
    if conv.shares is not None or _is_shared(graph, conv):
        raise Blocked(f"`{conv.name}` is shared")
    sizes = (*graph.input_shapes(conv)[0].sizes, *conv.shape.sizes)
    if any(isinstance(size, Dim) for size in sizes):
        raise Blocked(f"`{conv.name}` has sizes that are known only at run time")


def _is_shared(graph: Graph, node: Node) -> bool:
    return any(each.shares == node.name for each in graph.nodes)


def _reply(op: Conv, kernel: Kernel, shift: Array, x: Shape, output: Shape) -> Array:
    """What the convolution makes of each channel's shift at each position: `(filters, *positions)`.

    A tap adds its part at the positions where it reads the input, not the padding.
    """
    groups, _, inputs = kernel.weight.shape[:3]
    found: Array = np.einsum("goi...,gi->go...", kernel.weight, shift.reshape(groups, inputs))
    found = found.reshape(kernel.outputs, *found.shape[2:])
    assert isinstance(op.padding, tuple)
    for size, steps, taps, stride, dilation, (before, _) in zip(
        x.spatial,
        output.spatial,
        op.kernel,
        op.stride,
        op.dilation,
        split_pads(op.padding),
        strict=True,
    ):
        places = np.arange(steps)[:, None] * stride + np.arange(taps) * dilation - before
        inside = (places >= 0) & (places < size)
        found = np.tensordot(found, inside.astype(np.float64), axes=(1, 1))
    return found


def _is_alike(reply: Array) -> bool:
    """Whether all positions of a filter have the same number."""
    flat = reply.reshape(len(reply), -1)
    return bool((flat == flat[:, :1]).all())


def _biased(conv: Node) -> Node:
    return conv.model_copy(update={"op": conv.op.model_copy(update={"bias": True})})


def _addition(graph: Graph, conv: Node) -> list[Node]:
    """A convolution, the constant of its output, and what adds it."""
    held = constant(graph, f"{conv.name}_map", conv.shape, conv.name)
    name = free_name(graph, f"{conv.name}_shifted")
    return [conv, held, Node(name=name, op=Add(), inputs=(conv.name, held.name), shape=conv.shape)]
