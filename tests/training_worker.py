"""Runs of training that tests compare: the same function in this process, in Keras's and in torchrun's."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
from graphs import graph_of

import netspec
from netspec.passes import Model
from netspec.passes.deterministic import deterministic
from netspec.training import Data, Part, load_data, train
from netspec.training.recipe import declare
from netspec.training.run import Observer
from netspec.training.script import write_script
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


SCRIPTS = {
    "image": (
        "input 2 6 6 -> conv 3 3 -> bn -> relu -> dense 3 -> softmax",
        {
            "optimizer": "adamw",
            "weight_decay": 0.1,
            "schedule": "cosine",
            "warmup": 1,
            "early_stopping": 1,
        },
    ),
    "several": (
        "@left = input 5 4\n@words = input 5 dtype=int\n"
        "concat axis=c { @left | @words -> embedding 9 5 } -> dense 3",
        {"class_weights": (1.0, 2.0, 0.5), "weight_decay": 0.01, "lr": 0.02},
    ),
    "number": (
        "input 4 -> dense 3 -> tanh -> dense 1",
        {
            "optimizer": "sgd",
            "momentum": 0.9,
            "nesterov": True,
            "schedule": "linear",
            "clip_norm": 1.0,
        },
    ),
}
"""Networks and recipes of scripts: together they have all that a script in Keras can."""


def of_a_script(name, folder):
    """Losses and weights of `train` in Keras, and of the script that is written for it; the lines of the files."""
    import keras

    from netspec.backends.keras.live import in_precision

    text, fields = SCRIPTS[name]
    graph, draws = graph_of(text, name), np.random.default_rng(0)
    count = 41  # with the part that is held out, the last batch has one example
    x = {
        node.name: draws.integers(0, 9, (count, *node.shape.sizes))
        if node.shape.dtype == "int"
        else draws.normal(size=(count, *node.shape.sizes))
        for node in graph.inputs
    }
    places = (5,) if name == "several" else ()
    y = draws.random(count) if name == "number" else draws.integers(0, 3, (count, *places))
    whole = Part(x, y)
    data = Data("drawn", whole, test=whole.take(np.arange(5)))
    recipe = declare(epochs=5, batch=8, precision="float64", seed=5, val_split=0.2, **fields)
    path = Path(folder, f"go_{name}.py")
    write_script(path, graph, data, recipe, "keras")
    sys.path.insert(0, str(folder))
    script = import_module(path.stem)
    with in_precision("float64"):
        model = getattr(script, name)()
        netspec.set_weights(model, graph, netspec.init_weights(graph, 5), target="keras")
        found = script.train(model).history
    result = train(graph, data, recipe, "keras")
    assert keras.config.floatx() == "float32"
    weights = netspec.get_weights(model, graph, target="keras")
    names = ("loss", "val_loss")
    return (
        ({each: found[each] for each in names}, weights),
        ({each: result.history.column(each) for each in names}, result.weights),
    )


def ten_steps(framework):
    """Losses of two epochs of a network with batch norm in float32, on Keras's backend of this process."""
    graph = graph_of("input 2 6 6 -> conv 4 3 bias=false -> bn -> relu -> dense 3")
    recipe = declare(epochs=2, batch=8, class_weights=(1.0, 2.0, 0.5), schedule="linear")
    return train(graph, few(graph, 52, held=12), recipe, framework).history.rows


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
    """A network with batch norms, on batches of 8 and a last one of 5, and one without, whose last has 1 example."""
    graph = graph_of(
        "input 2 6 6 -> conv 4 3 bias=false -> bn -> relu -> flatten -> dense 6 bias=false -> bn -> dense 3"
    )
    plain = graph_of("input 5 -> d: dense 3")
    found = {}
    for each, count in ((graph, 52), (plain, 48)):
        result = train(each, few(each, count, held=7), declare(**FIELDS), place=place)
        found |= result.weights
        for name in ("loss", "accuracy", "val_loss"):
            found[f"{name}{count}"] = result.history.column(name)
    if place.rank == 0:
        np.savez(Path(folder, f"{place.world}.npz"), **found)


if __name__ == "__main__":
    assert "RANK" in os.environ
    share(sys.argv[1], torchrun("cpu"))
