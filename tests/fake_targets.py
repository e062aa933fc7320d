"""Sources of targets for tests of `verify`: the reference itself, or the reference with one fault."""

from __future__ import annotations

RIGHT = """
from netspec.backends.reference import EXTRA, ROWS, SUFFIX, build, emit
from netspec.backends.reference import open_session as reference


class Session:
    def __init__(self, graph, weights, precision):
        self.graph = graph
        self.inner = reference(graph, weights, precision)

    def predict(self, inputs):
        return self.inner.predict(inputs)

    def train_step(self, inputs, cotangents):
        return self.inner.train_step(inputs, cotangents)


def open_session(graph, weights, precision):
    return Session(graph, weights, precision)

"""


def changed(name, field, value):
    """A target that takes one argument of one layer for another."""
    return f"""{RIGHT}
def changed(node):
    if node.name != {name!r}:
        return node
    return node.model_copy(update={{"op": node.op.model_copy(update={{{field!r}: {value!r}}})}})


def open_session(graph, weights, precision):
    nodes = tuple(map(changed, graph.nodes))
    return Session(graph.model_copy(update={{"nodes": nodes}}), weights, precision)
"""


def predicting(body):
    """A target that tampers with its `outputs`."""
    return f"""{RIGHT}
import numpy as np


def predict(self, inputs):
    outputs = self.inner.predict(inputs)
    {body}
    return outputs


Session.predict = predict
"""


def stepping(body):
    """A target that tampers with its training `step`."""
    return f"""{RIGHT}
def train_step(self, inputs, cotangents):
    step = self.inner.train_step(inputs, cotangents)
    {body}
    return step


Session.train_step = train_step
"""
