"""Known architectures: torchvision's own names, shapes, costs and numbers, and the published counts of parameters."""

from __future__ import annotations

from itertools import repeat
from math import prod
from pathlib import Path

import numpy as np
import pytest
from torchvision import load_reference

import netspec
from netspec.backend import load_backend
from netspec.language.syntax import parse
from netspec.language.tree import Block, Variant
from netspec.source import Source

EXAMPLES = Path(__file__).parent.parent / "examples"

# Trainable parameters, by file and net.
COUNTS = {
    "resnet18": {"resnet18": 11_689_512},
    "resnet50": {"resnet50": 25_557_032},
    "mobilenet_v2": {"mobilenet_v2": 3_504_872},
    "densenet121": {"densenet121": 7_978_856},
    "inception_v3": {"inception_v3": 27_161_264},
    "vit_b_16": {"vit_b_16": 86_567_656},
    "gpt2": {"gpt2": 124_439_808},
    "bert": {"bert": 109_482_240},
    "zoo/alexnet": {"alexnet": 61_100_840},
    "zoo/densenet": {
        "densenet121": 7_978_856,
        "densenet161": 28_681_000,
        "densenet169": 14_149_480,
        "densenet201": 20_013_928,
    },
    "zoo/efficientnet": {
        "efficientnet_b0": 5_288_548,
        "efficientnet_b1": 7_794_184,
        "efficientnet_b2": 9_109_994,
        "efficientnet_b3": 12_233_232,
        "efficientnet_b4": 19_341_616,
        "efficientnet_b5": 30_389_784,
        "efficientnet_b6": 43_040_704,
        "efficientnet_b7": 66_347_960,
    },
    "zoo/efficientnet_v2": {
        "efficientnet_v2_s": 21_458_488,
        "efficientnet_v2_m": 54_139_356,
        "efficientnet_v2_l": 118_515_272,
    },
    "zoo/mobilenet": {
        "mobilenet_v2": 3_504_872,
        "mobilenet_v3_small": 2_542_856,
        "mobilenet_v3_large": 5_483_032,
    },
    "zoo/resnet": {
        "resnet18": 11_689_512,
        "resnet34": 21_797_672,
        "resnet50": 25_557_032,
        "resnet101": 44_549_160,
        "resnet152": 60_192_808,
        "resnext50_32x4d": 25_028_904,
        "resnext101_32x8d": 88_791_336,
        "resnext101_64x4d": 83_455_272,
        "wide_resnet50_2": 68_883_240,
        "wide_resnet101_2": 126_886_696,
    },
    "zoo/vgg": {
        "vgg11": 132_863_336,
        "vgg11_bn": 132_868_840,
        "vgg13": 133_047_848,
        "vgg13_bn": 133_053_736,
        "vgg16": 138_357_544,
        "vgg16_bn": 138_365_992,
        "vgg19": 143_667_240,
        "vgg19_bn": 143_678_248,
    },
    "zoo/googlenet": {"googlenet": 6_624_904},
    "zoo/squeezenet": {"squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496},
}
NETS = [(file, net) for file, nets in COUNTS.items() for net in nets]
FILES = {net: file for file, net in NETS}

# What costs were not counted with, and what a net cannot have at an odd size.
WITHOUT_EXTRAS = {"inception_v3": {"auxiliary": False}}

REFERENCED = sorted(
    path.stem.removeprefix("tv_") for path in Path(__file__).parent.glob("torchvision/tv_*.json")
)


def load(net, file=None, **options):
    return netspec.load(EXAMPLES / f"{file or FILES[net]}.net", net=net, **options)


def test_every_net_of_the_zoo_is_here():
    found = {}
    for path in EXAMPLES.glob("zoo/*.net"):
        file = parse(Source(path.name, path.read_text()))
        found[f"zoo/{path.stem}"] = {
            item.name.name
            for item in file.items
            if isinstance(item, Variant) or (isinstance(item, Block) and item.keyword == "net")
        }
    assert found == {file: set(nets) for file, nets in COUNTS.items() if file.startswith("zoo/")}


@pytest.mark.parametrize(("file", "net"), NETS)
def test_the_parameters_are_as_many_as_published(file, net):
    trainable = (weight.shape for _, weight in load(net, file).weights() if weight.trainable)
    assert sum(map(prod, trainable)) == COUNTS[file][net]


def linear_macs(node, graph):
    """Multiply-adds of a node's learned maps alone."""
    if node.op.kind == "attention":
        matrices = (w.shape for _, w in graph.weights_of(node) if len(w.shape) == 2)
        return node.shape.axis("t") * sum(map(prod, matrices))
    shapes = graph.input_shapes(node)
    return node.op.macs(node.shape, *shapes) if node.op.kind in ("conv", "dense") else 0


@pytest.mark.slow
@pytest.mark.parametrize("net", REFERENCED)
def test_a_net_is_torchvisions(net):
    """Same names, same shapes, same cost, and the same numbers at two image sizes."""
    known = load_reference(net)
    graph = load(net)
    assert {name: weight.shape for name, weight in graph.weights()} == {
        name: array.shape for name, array in known.weights.items()
    }
    assert netspec.summarize(graph).trainable == known.trainable
    counted = load(net, overrides=WITHOUT_EXTRAS.get(net, {}))
    assert sum(map(linear_macs, counted.nodes, repeat(counted))) == known.macs
    for number, (batch, results) in enumerate(zip(known.inputs, known.outputs, strict=True)):
        images, outputs = batch[:1], results[:1]
        without = WITHOUT_EXTRAS.get(net, {}) if number else {}
        sized = load(net, input_shape=images.shape[1:], overrides=without)
        weights = {name: known.weights[name] for name, _ in sized.weights()}
        session = load_backend("torch").open_session(sized, weights, "float64")
        found = session.predict({"input": images})["output"]
        assert found.shape == outputs.shape
        assert np.abs(found - outputs).max() <= 1e-11 * np.abs(outputs).max()
