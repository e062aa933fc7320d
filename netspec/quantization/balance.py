"""Gives the channels of activations one range, which their 8 bits then serve alike. Knows no framework.

One scale holds for all channels of an activation. A channel that is small beside the others is rounded to nearly
nothing, though the layer that reads it may multiply it up: so a batch norm that was folded forward did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netspec.ir import Graph, Node
from netspec.ops.activation.rectifiers import LeakyRelu, Relu
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.merge import Add, Maximum, Minimum
from netspec.ops.param import Param
from netspec.passes import Model
from netspec.passes.affine.maps import Blocked, Map
from netspec.passes.affine.through import forward
from netspec.passes.kernel import read_kernel, write_kernel
from netspec.weights import Array, Weights, np

MOST = 1024.0
"""By how much a channel is scaled up at most: one that is never seen to be active may be so in use."""

_HOMOGENEOUS = (Relu, LeakyRelu)
"""Activations with f(a x) = a f(x) for every positive a."""

_BOUNDS = (Maximum, Minimum)
"""The same holds where they compare with a constant that is scaled, too."""


def candidates(graph: Graph) -> tuple[Node, ...]:
    """The activations whose channels may be scaled, if what is around them can take it."""
    kinds = (*_HOMOGENEOUS, *_BOUNDS)
    return tuple(
        node for node in graph.nodes if isinstance(node.op, kinds) and "c" in node.shape.axes
    )


def balance(model: Model, peaks: Mapping[str, Array]) -> Model:
    """The model in which each channel of an activation has the range of the widest one (Nagel et al., 2019).

    `peaks` are the greatest magnitudes seen in each channel of the candidates. The layer in front multiplies a
    channel up, those behind divide it again: the network computes the same up to rounding. An activation
    stays where something else reads or adds up the same values, or where weights are shared.
    """
    assert model.weights is not None
    weights = dict(model.weights)
    for node in candidates(model.graph):
        peak = peaks[node.name]
        if not peak.any():
            continue
        factor = peak.max() / np.maximum(peak, peak.max() / MOST)
        try:
            weights |= _scaled(model.graph, weights, node, factor)
        except Blocked:
            continue
    return model._replace(weights=weights)


def _scaled(graph: Graph, weights: Weights, node: Node, factor: Array) -> dict[str, Array]:
    """The weights that change where a node's channels are multiplied. Raises `Blocked`."""
    shape = [1] * len(node.shape.sizes)
    shape[node.shape.axes.index("c")] = -1
    spread = factor.reshape(shape)
    found: dict[str, Array] = {}
    for source in _in_front(graph, node):
        if isinstance(source.op, Param):
            found[source.name] = weights[source.name] * spread
        else:
            assert isinstance(source.op, Conv | ConvTranspose | Dense)
            kernel = read_kernel(source.op, weights, source.name)
            found |= write_kernel(source.op, kernel.with_outputs_scaled(factor), source.name)
    for reader, change in _behind(graph, node, Map(1 / spread, np.zeros_like(spread))):
        assert isinstance(reader.op, Conv | ConvTranspose | Dense)
        (x,) = graph.input_shapes(reader)
        scale, _ = change.per_channel(x)
        kernel = read_kernel(reader.op, {**weights, **found}, reader.name)
        found |= write_kernel(reader.op, kernel.with_inputs_scaled(scale), reader.name)
    return found


def _in_front(graph: Graph, node: Node) -> Iterator[Node]:
    """The layers and constants that make up what a node reads. Raises `Blocked` where something else does."""
    for name in node.inputs:
        source = graph.by_name[name]
        if _readers(graph, source) != [node] or _is_held(graph, source):
            raise Blocked(f"`{name}` is read by others")
        if isinstance(source.op, (Add, *_BOUNDS)):
            if any(x != source.shape for x in graph.input_shapes(source)):
                raise Blocked(f"`{name}` repeats what it adds")
            yield from _in_front(graph, source)
        elif isinstance(source.op, Conv | ConvTranspose | Dense | Param):
            yield source
        else:
            raise Blocked(f"`{name}` has no weights to scale")


def _behind(graph: Graph, node: Node, change: Map) -> Iterator[tuple[Node, Map]]:
    """The layers that read a node, and the map in front of each. Raises `Blocked` where something else does."""
    if node.name in {output.node for output in graph.outputs}:
        raise Blocked("is a result")
    for reader in _readers(graph, node):
        if isinstance(reader.op, Conv | ConvTranspose | Dense):
            if reader.shares is not None or _is_shared(graph, reader):
                raise Blocked("is shared")
            yield reader, change
        elif len(reader.inputs) > 1:
            raise Blocked("reads something else, too")
        elif isinstance(reader.op, _HOMOGENEOUS):
            yield from _behind(graph, reader, change)
        else:
            passed = forward(reader.op, (node.shape,), reader.shape, [change])
            yield from _behind(graph, reader, passed)


def _readers(graph: Graph, node: Node) -> list[Node]:
    """What reads a node for more than the number of its examples, once per reading."""
    found = [graph.by_name[name] for name in graph.readers[node.name]]
    return [reader for reader in found if not reader.op.batchless]


def _is_held(graph: Graph, node: Node) -> bool:
    """Whether a value or its weights are needed as they are."""
    is_result = node.name in {output.node for output in graph.outputs}
    return is_result or node.shares is not None or _is_shared(graph, node)


def _is_shared(graph: Graph, node: Node) -> bool:
    return any(each.shares == node.name for each in graph.nodes)
