"""Known architectures: torchvision's own names, shapes, costs and numbers, and the published counts of parameters."""

from __future__ import annotations

from itertools import repeat
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import load_reference

import netspec
from netspec.backend import load_backend
from netspec.language.syntax import parse
from netspec.language.tree import Block, Variant
from netspec.source import Source

EXAMPLES = Path(__file__).parent.parent / "examples"

# Trainable parameters, by file and net. Those of `unet` and `lstm_tagger` are what they come to; nobody published them.
COUNTS = {
    "resnet18": {"resnet18": 11_689_512},
    "resnet50": {"resnet50": 25_557_032},
    "mobilenet_v2": {"mobilenet_v2": 3_504_872},
    "densenet121": {"densenet121": 7_978_856},
    "inception_v3": {"inception_v3": 27_161_264},
    "vit_b_16": {"vit_b_16": 86_567_656},
    "gpt2": {"gpt2": 124_439_808},
    "bert": {"bert": 109_482_240},
    "unet": {"unet": 31_037_698},
    "efficientnet_b0": {"efficientnet_b0": 5_288_548},
    "mlp_mixer": {"mlp_mixer": 18_528_264},
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
    "zoo/swin": {"swin_t": 28_288_354, "swin_s": 49_606_258, "swin_b": 87_768_224},
    "zoo/squeezenet": {"squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496},
    "zoo/convnext": {
        "convnext_tiny": 28_589_128,
        "convnext_small": 50_223_688,
        "convnext_base": 88_591_464,
        "convnext_large": 197_767_336,
    },
    "zoo/inception_resnet_v2": {
        "inception_resnet_v2": 55_813_192,
    },
    "zoo/llama": {
        "llama2_7b": 6_738_415_616,
        "llama2_13b": 13_015_864_320,
        "llama3_8b": 8_030_261_248,
        "tinyllama_1b": 1_100_048_384,
    },
    "zoo/t5": {
        "t5_small": 60_506_624,
        "t5_base": 222_903_552,
        "t5_large": 737_668_096,
    },
    "zoo/yolov8": {
        "yolov8n": 3_157_184,
        "yolov8s": 11_166_544,
        "yolov8m": 25_902_624,
        "yolov8l": 43_691_504,
        "yolov8x": 68_229_632,
    },
    # torchvision's frozen batch norms have 53,120 more, which it does not count.
    "zoo/retinanet": {"retinanet_resnet50_fpn": 34_014_999 + 53_120},
    "zoo/ddpm": {"ddpm_cifar10": 35_746_307},
    "zoo/lstm_tagger": {
        "lstm_tagger": 1_633_105,
    },
    "zoo/mobilenet_v1": {
        "mobilenet": 4_231_976,
        "mobilenet_075": 2_585_560,
        "mobilenet_050": 1_331_592,
        "mobilenet_025": 470_072,
    },
    "zoo/regnet": {
        "regnet_x_400mf": 5_495_976,
        "regnet_x_800mf": 7_259_656,
        "regnet_x_1_6gf": 9_190_136,
        "regnet_x_3_2gf": 15_296_552,
        "regnet_x_8gf": 39_572_648,
        "regnet_x_16gf": 54_278_536,
        "regnet_x_32gf": 107_811_560,
        "regnet_y_400mf": 4_344_144,
        "regnet_y_800mf": 6_432_512,
        "regnet_y_1_6gf": 11_202_430,
        "regnet_y_3_2gf": 19_436_338,
        "regnet_y_8gf": 39_381_472,
        "regnet_y_16gf": 83_590_140,
        "regnet_y_32gf": 145_046_770,
    },
    "zoo/mobileone": {
        "mobileone_s0": 5_293_272,
        "mobileone_s1": 4_825_192,
        "mobileone_s2": 7_884_648,
        "mobileone_s3": 10_170_600,
        "mobileone_s4": 14_951_248,
    },
    "zoo/repvgg": {
        "repvgg_a0": 9_108_968,
        "repvgg_a1": 14_092_264,
        "repvgg_a2": 28_210_600,
        "repvgg_b0": 15_817_960,
        "repvgg_b1": 57_415_016,
        "repvgg_b1g2": 45_782_376,
        "repvgg_b1g4": 39_966_056,
        "repvgg_b2": 89_022_376,
        "repvgg_b2g2": 70_846_376,
        "repvgg_b2g4": 61_758_376,
        "repvgg_b3": 123_085_288,
        "repvgg_b3g2": 96_911_848,
        "repvgg_b3g4": 83_825_128,
    },
    "zoo/resnet_v2": {
        "resnet50_v2": 25_568_360,
        "resnet101_v2": 44_577_896,
        "resnet152_v2": 60_236_904,
    },
    "zoo/vit": {
        "vit_b_16": 86_567_656,
        "vit_b_32": 88_224_232,
        "vit_l_16": 304_326_632,
        "vit_l_32": 306_535_400,
    },
    "zoo/xception": {
        "xception": 22_855_952,
    },
}

# The same of the networks in which the branches of each unit have become one convolution.
DEPLOYED = {
    "mobileone_s0": 2_078_504,
    "mobileone_s1": 4_764_840,
    "mobileone_s2": 7_808_168,
    "mobileone_s3": 10_078_312,
    "mobileone_s4": 14_838_352,
    "repvgg_a0": 8_309_384,
    "repvgg_a1": 12_789_864,
    "repvgg_a2": 25_499_944,
    "repvgg_b0": 14_339_048,
    "repvgg_b1": 51_829_480,
    "repvgg_b1g2": 41_360_104,
    "repvgg_b1g4": 36_125_416,
    "repvgg_b2": 80_315_112,
    "repvgg_b2g2": 63_956_712,
    "repvgg_b2g4": 55_777_512,
    "repvgg_b3": 110_960_872,
    "repvgg_b3g2": 87_404_776,
    "repvgg_b3g4": 75_626_728,
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


@pytest.mark.parametrize("net", DEPLOYED)
def test_the_parameters_of_merged_units_are_as_many_as_published(net):
    graph = load(net, overrides={"deploy": True})
    assert sum(prod(weight.shape) for _, weight in graph.weights()) == DEPLOYED[net]


def linear_macs(node, graph):
    """Multiply-adds of a node's learned maps alone, and of the products that torchvision writes out."""
    if node.op.kind == "attention":
        matrices = (w.shape for _, w in graph.weights_of(node) if len(w.shape) == 2)
        return node.shape.axis("t") * sum(map(prod, matrices))
    shapes = graph.input_shapes(node)
    return node.op.macs(node.shape, *shapes) if node.op.kind in ("conv", "dense", "sdpa") else 0


def close(found, wanted):
    assert found.shape == wanted.shape
    assert np.abs(np.asarray(found) - wanted).max() <= 1e-11 * np.abs(wanted).max()


def checkpoint(weights):
    """What torchvision would have saved: batch norms count their batches, too."""
    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    counters = (name.replace("running_var", "num_batches_tracked") for name in weights)
    return {**dict.fromkeys(set(counters) - weights.keys(), torch.tensor(0)), **state}


@pytest.mark.slow
@pytest.mark.parametrize("net", REFERENCED)
def test_a_net_is_torchvisions(net):
    """Same names, shapes and cost; it takes torchvision's checkpoint, and gives the same numbers at two image sizes."""
    known = load_reference(net)
    graph = load(net)
    assert {name: weight.shape for name, weight in graph.weights()} == {
        name: array.shape for name, array in known.weights.items()
    }
    assert netspec.summarize(graph).trainable == known.trainable
    counted = load(net, overrides=WITHOUT_EXTRAS.get(net, {}))
    assert sum(map(linear_macs, counted.nodes, repeat(counted))) == known.macs
    blank = {name: np.zeros(array.shape, "f4") for name, array in known.weights.items()}
    emitted = load_backend("torch").build(graph, blank)
    emitted.load_state_dict(checkpoint(known.weights), strict=True)
    with torch.inference_mode():
        result = emitted.double()(torch.from_numpy(known.inputs[0][:1]).double())
    close(result[0] if isinstance(result, tuple) else result, known.outputs[0][:1])
    for images, outputs in zip(known.inputs[1:], known.outputs[1:], strict=True):
        without = WITHOUT_EXTRAS.get(net, {})
        sized = load(net, input_shape=images.shape[1:], overrides=without)
        weights = {name: known.weights[name] for name, _ in sized.weights()}
        session = load_backend("torch").open_session(sized, weights, "float64")
        close(session.predict({"input": images[:1]})["output"], outputs[:1])
