"""Takes chance out of training, so that targets can be compared."""

from __future__ import annotations

from netspec.passes import Model
from netspec.passes.rewrite import rewrite


def deterministic(model: Model) -> Model:
    """The model with every kind of dropout at rate 0: in training it computes what it does at inference."""
    certain = {node.name: node.op.deterministic() for node in model.graph.nodes}
    changed = {
        node.name: node.model_copy(update={"op": certain[node.name]})
        for node in model.graph.nodes
        if certain[node.name] != node.op
    }
    return Model(rewrite(model.graph, changed, {}), model.weights)
