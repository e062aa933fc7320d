"""Folds each batch norm into the convolution or dense layer that it reads. For inference only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.backend import need
from netspec.ir import Node
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.norm import BatchNorm
from netspec.passes import Model
from netspec.passes.rewrite import rewrite

if TYPE_CHECKING:
    from netspec.weights import Array, Weights


def fold_batchnorm(model: Model) -> Model:
    """The model without the batch norms that follow a linear layer.

    1. A batch norm folds into a `conv`, `conv_transpose` or `dense` (of any rank and groups) whose
       value nothing else reads and which is not a result of the network.
    2. The layer keeps its path and gets a bias if it had none. With `s = weight / sqrt(var + eps)`
       its filters are multiplied by `s`, and its bias becomes `(bias - mean) * s + shift`.
    3. Batch norms in a row fold into the same layer.
    4. The arithmetic is float64, from the layer's own weights, rounded once to their dtype.
    5. A batch norm stays where its statistics, or the weights that folding it would give, are not
       finite, or where a variance is negative.
    6. Without weights the structure alone is folded, as if rule 5 never applied.
    7. What is shared folds everywhere or nowhere: a batch norm folds where each of its uses does, and
       only into layers that have it behind each of their uses.

    The network computes the same up to rounding, and folding once more changes nothing.
    """
    graph, weights = model.graph, model.weights
    results = {output.node for output in graph.outputs}
    uses: dict[str, list[Node]] = {}
    for node in graph.nodes:
        uses.setdefault(graph.owner(node).name, []).append(node)
    layer_of: dict[str, str] = {}
    norms: dict[str, list[Node]] = {}
    folded: dict[str, Array] = {}

    def fold(norm: Node) -> bool:
        sources = [source for use in uses[norm.name] for source in use.inputs]
        layers = [graph.by_name[layer_of.get(source, source)] for source in sources]
        owners = {owner.name: owner for owner in map(graph.owner, layers)}
        if not all(isinstance(owner.op, Conv | ConvTranspose | Dense) for owner in owners.values()):
            return False
        if {layer.name for layer in layers} != {use.name for name in owners for use in uses[name]}:
            return False
        if any(source in results or len(graph.readers[source]) > 1 for source in sources):
            return False
        rows = {name: [*norms.get(name, ()), norm] for name in owners}
        if weights is not None:
            found = [_fold(owners[name], row, weights) for name, row in rows.items()]
            if any(each is None for each in found):
                return False
            for each in found:
                folded.update(each or {})
        norms.update(rows)
        for use, layer in zip(uses[norm.name], layers, strict=True):
            layer_of[use.name] = layer.name
        return True

    waiting = [n for n in graph.nodes if isinstance(n.op, BatchNorm) and n.shares is None]
    while len(left := [norm for norm in waiting if not fold(norm)]) < len(waiting):
        waiting = left  # what stood behind a folded one, but before it in the graph, may fold now
    if not norms:
        return model
    biased = {"bias": True}
    changed = {
        node.name: node.model_copy(update={"op": node.op.model_copy(update=biased)})
        for name in norms
        for node in uses[name]
    }
    graph = rewrite(graph, changed, layer_of)
    if weights is None:
        return model._replace(graph=graph)
    kept = {**weights, **folded}
    return model._replace(graph=graph, weights={name: kept[name] for name, _ in graph.weights()})


def _fold(layer: Node, norms: list[Node], weights: Weights) -> dict[str, Array] | None:
    """The layer's weights with these batch norms in them, or None where rule 5 forbids it."""
    np = need("numpy", "weights")
    kernel = weights[f"{layer.name}.weight"]
    bias = np.zeros(norms[0].shape.axis("c"))
    if f"{layer.name}.bias" in weights:
        bias = weights[f"{layer.name}.bias"].astype(np.float64)
    scale = np.ones_like(bias)
    with np.errstate(all="ignore"):  # what is not finite is found below
        for norm in norms:
            assert isinstance(norm.op, BatchNorm)
            mean = weights[f"{norm.name}.running_mean"]
            var = weights[f"{norm.name}.running_var"].astype(np.float64)
            if not ((var >= 0) & (var < np.inf)).all():
                return None
            s = 1 / np.sqrt(var + norm.op.eps)
            if norm.op.affine:
                s *= weights[f"{norm.name}.weight"]
            scale *= s
            bias = (bias - mean) * s
            if norm.op.affine:
                bias += weights[f"{norm.name}.bias"]
        found = {
            f"{layer.name}.weight": _scaled(layer, kernel, scale).astype(kernel.dtype),
            f"{layer.name}.bias": bias.astype(kernel.dtype),
        }
    return found if all(np.isfinite(array).all() for array in found.values()) else None


def _scaled(layer: Node, kernel: Array, scale: Array) -> Array:
    """The kernel with each output channel multiplied by its scale, float64.

    The output channels are axis 0, but `(c, filters / groups, ...)` for a transposed convolution.
    """
    windows = (1,) * (kernel.ndim - 2)
    if isinstance(layer.op, ConvTranspose):
        grouped = kernel.reshape(layer.op.groups, -1, *kernel.shape[1:])
        return (grouped * scale.reshape(layer.op.groups, 1, -1, *windows)).reshape(kernel.shape)
    return kernel * scale.reshape(-1, 1, *windows)
