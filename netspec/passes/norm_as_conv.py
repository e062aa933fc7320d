"""Writes batch norms of images as depthwise convolutions. For inference in INT8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.ir import Node
from netspec.ops.conv import Conv
from netspec.ops.norm.batch import BatchNorm
from netspec.passes import Model, Note
from netspec.passes.affine.maps import Blocked, read_map
from netspec.passes.rewrite import rewrite

if TYPE_CHECKING:
    from netspec.weights import Array

_STEP = "norm-as-conv"


def norm_as_conv(model: Model) -> Model:
    """The model in which each batch norm of an image is a `conv` of one weight a channel, and of its name.

    A batch norm stays where it is shared, or where its numbers are not known or not finite. The network computes
    the same up to rounding. An INT8 convolution is one step, where a batch norm takes three: to float32,
    the norm, and back.
    """
    graph, weights = model.graph, dict(model.weights or {})
    changed: dict[str, Node] = {}
    notes: list[Note] = []
    for node in graph.nodes:
        if not isinstance(node.op, BatchNorm) or node.shape.kind != "image":
            continue
        try:
            found = _numbers(model, node)
        except Blocked as blocked:
            notes.append(Note(_STEP, node.name, changed=False, text=f"stays: {blocked}"))
            continue
        channels = node.shape.axis("c")
        op = Conv(filters=channels, kernel=(1,), groups=channels).settle(node.shape)
        changed[node.name] = node.model_copy(update={"op": op})
        weights |= found
        notes.append(Note(_STEP, node.name, changed=True, text="a depthwise convolution"))
    graph = rewrite(graph, changed, {})
    kept = None if model.weights is None else {name: weights[name] for name, _ in graph.weights()}
    return Model(graph, kept, (*model.notes, *notes))


def _numbers(model: Model, node: Node) -> dict[str, Array]:
    """The weights of the convolution. Raises `Blocked`."""
    if model.weights is None:
        raise Blocked("its numbers are not known")
    if node.shares is not None or any(each.shares == node.name for each in model.graph.nodes):
        raise Blocked("is shared")
    scale, shift = read_map(node.op, node.shape, model.weights, node.name).per_channel(node.shape)
    weight = scale.reshape(-1, *(1,) * len(node.shape.sizes))
    return {f"{node.name}.weight": weight, f"{node.name}.bias": shift}
