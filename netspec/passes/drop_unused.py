"""Drops what leads to no result."""

from __future__ import annotations

from netspec.passes import Model, Note
from netspec.passes.rewrite import carry, rewrite
from netspec.passes.uses import needed


def drop_unused(model: Model) -> Model:
    """The model without the nodes and weights that no result depends on.

    Inputs stay, for they are what a caller gives, and so does what another use of the same instance needs.
    """
    keep = needed(model.graph)
    dropped = [node.name for node in model.graph.nodes if node.name not in keep]
    notes = [Note("drop-unused", name, True, "gone: leads to no result") for name in dropped]
    return carry(model, rewrite(model.graph, {}, dict.fromkeys(dropped, "")), notes)
