"""Known architectures: torchvision's own names, shapes, costs and numbers, and the published counts of parameters."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import pytest
from torchvision import load_reference

import netspec
from netspec.backend import load_backend
from netspec.language.syntax import parse
from netspec.language.tree import Block
from netspec.source import Source

EXAMPLES = Path(__file__).parent.parent / "examples"

# Trainable parameters, by file and net.
COUNTS = {
    "resnet18": {"resnet18": 11_689_512},
    "resnet50": {"resnet50": 25_557_032},
    "mobilenet_v2": {"mobilenet_v2": 3_504_872},
    "densenet121": {"densenet121": 7_978_856},
    "inception_v3": {"inception_v3": 27_161_264},
    "zoo/googlenet": {"googlenet": 6_624_904},
    "zoo/squeezenet": {"squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496},
}
FILES = {net: file for file, nets in COUNTS.items() for net in nets}

# What costs were not counted with, and what a net cannot have at an odd size.
WITHOUT_EXTRAS = {"inception_v3": {"auxiliary": False}}

REFERENCED = sorted(
    path.stem.removeprefix("tv_") for path in Path(__file__).parent.glob("torchvision/tv_*.json")
)


def load(net, **options):
    return netspec.load(EXAMPLES / f"{FILES[net]}.net", net=net, **options)


def test_every_net_of_the_zoo_is_here():
    found = {}
    for path in EXAMPLES.glob("zoo/*.net"):
        file = parse(Source(path.name, path.read_text()))
        blocks = (item for item in file.items if isinstance(item, Block))
        found[f"zoo/{path.stem}"] = {b.name.name for b in blocks if b.keyword == "net"}
    assert found == {file: set(nets) for file, nets in COUNTS.items() if file.startswith("zoo/")}


@pytest.mark.parametrize("net", FILES)
def test_the_parameters_are_as_many_as_published(net):
    trainable = (weight.shape for _, weight in load(net).weights() if weight.trainable)
    assert sum(map(prod, trainable)) == COUNTS[FILES[net]][net]


@pytest.mark.parametrize("net", REFERENCED)
def test_a_net_is_torchvisions(net):
    """Same names, same shapes, same cost, and the same numbers at two image sizes."""
    known = load_reference(net)
    graph = load(net)
    assert {name: weight.shape for name, weight in graph.weights()} == {
        name: array.shape for name, array in known.weights.items()
    }
    assert netspec.summarize(graph).trainable == known.trainable
    rows = netspec.summarize(load(net, overrides=WITHOUT_EXTRAS.get(net, {}))).rows
    assert sum(row.macs for row in rows if row.op in ("conv", "dense")) == known.macs
    for number, (images, outputs) in enumerate(zip(known.inputs, known.outputs, strict=True)):
        without = WITHOUT_EXTRAS.get(net, {}) if number else {}
        sized = load(net, input_shape=images.shape[1:], overrides=without)
        weights = {name: known.weights[name] for name, _ in sized.weights()}
        session = load_backend("torch").open_session(sized, weights, "float64")
        found = session.predict({"input": images})["output"]
        assert found.shape == outputs.shape
        assert np.abs(found - outputs).max() <= 1e-11 * np.abs(outputs).max()
