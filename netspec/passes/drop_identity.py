"""Drops ops that give at inference what they are given."""

from __future__ import annotations

from netspec.passes import Model, Note
from netspec.passes.rewrite import carry, followed, rewrite
from netspec.passes.uses import in_all_uses

_STEP = "drop-identity"


def drop_identity(model: Model) -> Model:
    """The model without the ops that are the identity at inference: dropout, a `pad 0`, a `reshape` to the same.

    Which those are, `Op.is_identity` says. Within a shared instance an op goes where it does nothing in
    each of the uses.
    """
    graph = model.graph
    found = {
        node.name: node.inputs[0]
        for node in graph.nodes
        if node.op.is_identity(*graph.input_shapes(node))
    }
    replaced = in_all_uses(graph, found)
    notes = [Note(_STEP, name, True, "gone: changes nothing") for name in replaced]
    notes += (
        Note(_STEP, name, False, "stays: changes something in another use")
        for name in found
        if name not in replaced
    )
    return carry(model, rewrite(graph, {}, followed(replaced)), notes)
