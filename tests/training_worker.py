"""Runs of training that tests compare: the same function in this process, in Keras's and in torchrun's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from graphs import graph_of

import netspec
from netspec.passes import Model
from netspec.passes.deterministic import deterministic
from netspec.training import Data, Part, load_data, train
from netspec.training.recipe import declare
from netspec.training.run import Observer
from netspec.training.task import torchrun

EXAMPLES = Path(__file__).parent.parent / "examples"


class Stop(Observer):
    """Ctrl-C after so many steps, within an epoch."""

    steps = True

    def __init__(self, after):
        self.left = after

    def step(self):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


TOKENS = "input 6 dtype=int -> embedding 9 5 -> flatten -> dense 3"


def graph_of_example(name):
    """N1 or N2 for digits, N3 for diabetes, where nothing is dropped; or one of tokens."""
    if name == "tokens":
        return graph_of(TOKENS)
    options = {"overrides": {"features": 10}} if name == "n3" else {"input_shape": (1, 8, 8)}
    return deterministic(Model(netspec.load(EXAMPLES / f"{name}.net", **options))).graph


def data_of_example(name):
    """160 examples to learn from, five batches of 32, and 45 that are held out."""
    if name == "tokens":
        draws = np.random.default_rng(0)
        part = Part({"x": draws.integers(0, 9, (160, 6))}, draws.integers(0, 3, 160))
        return Data(name, part, part.take(np.arange(45)))
    given = load_data("diabetes" if name == "n3" else "digits")
    x, y = given.train.x["x"], given.train.y
    if name == "n3":
        y = (y - y.mean()) / y.std()
    whole = Part({"x": x}, y)
    return Data(name, whole.take(np.arange(160)), whole.take(np.arange(160, 205)))


def fifty_steps(name, framework, fields):
    """Measures of ten epochs in float64 and what the network then weighs."""
    recipe = declare(epochs=10, batch=32, precision="float64", seed=1, **fields)
    result = train(graph_of_example(name), data_of_example(name), recipe, framework)
    return [dict(row) for row in result.history.rows], result.weights


def taken_up(graph, data, fields, framework, path):
    """A run without a break, and one that was interrupted in its third epoch and went on: results."""
    recipe = declare(**fields)
    whole = train(graph, data, recipe, framework)
    steps = 2 * -(-len(data.train.y) // recipe.batch) + 1
    train(graph, data, recipe, framework, checkpoint=path, observer=Stop(steps))
    return whole, train(graph, data, recipe, framework, checkpoint=path, resume=True)


def few(graph, count=21, held=0, seed=0):
    """Random vectors or images, and labels of three classes."""
    draws = np.random.default_rng(seed)
    x = draws.normal(size=(count, *graph.inputs[0].shape.sizes)).astype("f")
    part = Part({"x": x}, draws.integers(0, 3, count))
    if not held:
        return Data("few", part)
    return Data("few", part.take(np.arange(held, count)), part.take(np.arange(held)))


FIELDS = {
    "epochs": 4,
    "batch": 8,
    "precision": "float64",
    "class_weights": (1.0, 2.0, 0.5),
    "clip_norm": 0.5,
    "schedule": "cosine",
    "weight_decay": 0.01,
}


def share(folder, place):
    """A network with batch norms, on 45 examples: batches of 8, and a last one of 5."""
    graph = graph_of(
        "input 2 6 6 -> conv 4 3 bias=false -> bn -> relu -> flatten -> dense 6 bias=false -> bn -> dense 3"
    )
    result = train(graph, few(graph, 52, held=7), declare(**FIELDS), place=place)
    if place.rank == 0:
        losses = {name: result.history.column(name) for name in ("loss", "accuracy", "val_loss")}
        np.savez(Path(folder, f"{place.world}.npz"), **losses, **result.weights)
    return result


if __name__ == "__main__":
    assert "RANK" in os.environ
    share(sys.argv[1], torchrun("cpu"))
