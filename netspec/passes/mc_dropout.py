"""Keeps chance in the graph at inference: Monte Carlo dropout (Gal & Ghahramani, 2016)."""

from __future__ import annotations

from netspec.passes import Model, Note
from netspec.passes.rewrite import replace_ops


def mc_dropout(model: Model) -> Model:
    """The model with every kind of dropout always on: each run of it is a sample of its output."""
    graph = replace_ops(model.graph, lambda op: op.always_on())
    notes = tuple(
        Note("mc-dropout", before.name, changed=True, text="drops at inference too")
        for before, after in zip(model.graph.nodes, graph.nodes, strict=True)
        if before.op != after.op
    )
    return model._replace(graph=graph, notes=(*model.notes, *notes))
