"""How PyTorch realises a node in its place in a graph: its row, and what the place adds."""

from __future__ import annotations

from netspec.backends.torch.initial import initials
from netspec.backends.torch.layer import Layer, ModuleClass
from netspec.backends.torch.parting import parted
from netspec.backends.torch.rows import ROWS
from netspec.emit.outline import Leaf
from netspec.emit.source import Call, Unanimous
from netspec.ir import Graph


def layer_of(graph: Graph, leaf: Leaf, in_place: bool = False) -> Layer:
    """The layer of a leaf, which may stand for several nodes. One that is `in_place` writes over its input."""
    if leaf.also:
        return parted(graph, leaf)
    op, shapes = leaf.node.op, graph.input_shapes(leaf.node)
    layer: Layer = ROWS[op](op, *shapes)
    if layer.bare is not None and graph.is_spread(leaf.node):
        layer = layer._replace(forward=layer.bare)
    made = layer.module
    if layer.shared and made is not None:
        bare = not (made.positional or made.written_keywords())
        module = Call(
            ModuleClass(made.func) if bare else made.func,
            made.positional,
            {**({} if bare else made.keywords), "inplace": Unanimous(in_place)},
            {**made.defaults, "inplace": Unanimous(False)},
        )
        layer = layer._replace(module=module)
    return layer if layer.starts else layer._replace(initials=initials(op.weights(*shapes)))
