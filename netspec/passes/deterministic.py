"""Takes chance out of a graph, so that targets can be compared."""

from __future__ import annotations

from netspec.passes import Model
from netspec.passes.rewrite import replace_ops


def deterministic(model: Model) -> Model:
    """The model with every kind of dropout at rate 0: in training it computes what it does at inference."""
    return model._replace(graph=replace_ops(model.graph, lambda op: op.deterministic()))
