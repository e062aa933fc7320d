"""Keeps chance in the graph at inference: Monte Carlo dropout (Gal & Ghahramani, 2016)."""

from __future__ import annotations

from netspec.passes import Model
from netspec.passes.rewrite import replace_ops


def mc_dropout(model: Model) -> Model:
    """The model with every kind of dropout always on: each run of it is a sample of its output."""
    return Model(replace_ops(model.graph, lambda op: op.always_on()), model.weights)
