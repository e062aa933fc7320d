"""The standard library: the same numbers on every target, checkpoints' names, and no cost where it is not used."""

from __future__ import annotations

import subprocess
import sys

import keras_worker
import numpy as np
import pytest
from graphs import assert_close, fit, graph_of
from keras_process import process

from netspec.backend import load_backend
from netspec.diagnostics import SpecError
from netspec.format import format_source
from netspec.language import library
from netspec.language.syntax import parse
from netspec.ops import find
from netspec.parity.limits import FLOAT64, FLOAT64_BY_OP
from netspec.weights import random_weights

SOURCE = library.source()

# Each block as it is mostly used, and with all that it can be asked for.
CALLS = {
    "conv_bn": ["conv_bn 5 -> conv_bn 6 4 2", "conv_bn 6 1 groups=3 act=none eps=0.01 momentum=0.2"],
    "depthwise": ["depthwise", "depthwise 5 stride=2 multiplier=2 padding=same bias=false"],
    "separable": ["separable 5", "separable 5 3 2 multiplier=2 padding=half dilation=2 bias=false"],
    "depthwise_separable": ["depthwise_separable 5", "depthwise_separable 5 5 stride=2 act=tanh"],
    "squeeze_excite": ["squeeze_excite", "squeeze_excite 2 act=silu gate=tanh"],
    "inverted_residual": [
        "inverted_residual 6 -> inverted_residual 8 2",
        "inverted_residual 6 expand=1 k=5 act=relu",
    ],
    "mbconv": [
        "mbconv 6 -> mbconv 8 stride=2",
        "mbconv 6 6 5 squeeze=0 act=relu -> mbconv 6 9 squeeze=3 squeeze_act=relu gate=tanh",
        "mbconv 4 6 eps=0.001 momentum=0.01",
    ],
    "basic_block": ["basic_block 6 -> basic_block 8 2"],
    "bottleneck": ["bottleneck 2 -> bottleneck 3 2", "bottleneck 6 groups=3 width=32"],
    "preactivation_block": ["preactivation_block 6 -> preactivation_block 8 2"],
    "dense_layer": ["dense_layer 3", "dense_layer 3 factor=2 rate=0.2"],
    "dense_block": ["dense_block 3 2", "dense_block 2 4 3 0.1"],
    "transition": ["transition", "transition 4"],
    "fire": ["fire 2", "fire 2 3"],
    "basic_conv": ["basic_conv 5", "basic_conv 5 1x7 stride=2 padding=0 eps=1e-5"],
    "inception": ["inception 2 3 4 2 3 5"],
    "inception_a": ["inception_a 4"],
    "inception_b": ["inception_b"],
    "inception_c": ["inception_c 8"],
    "inception_d": ["inception_d"],
    "inception_e": ["inception_e"],
    "double_conv": ["double_conv 5", "double_conv 5 norm=none act=tanh"],
    "unet": ["unet 2 2", "unet 2 1 norm=none act=tanh"],
    "mlp": ["mlp [5, 4, 3]", "mlp [5] rate=0.5", "mlp [5, 4] tanh bn 0.2"],
    "feed_forward": ["tokens -> feed_forward", "tokens -> feed_forward 5 tanh 0.2 ones()"],
    "encoder_layer": [
        "tokens -> encoder_layer 2",
        "tokens -> encoder_layer 3 9 tanh 0.1 pre=false causal=true eps=0.01 init=normal(0.2)",
    ],
    "vit_layer": ["tokens -> vit_layer 2", "tokens -> vit_layer 3 8"],
    "decoder_layer": [
        "{ @m = pool 4 -> tokens; tokens -> decoder_layer @m 2 }",
        "{ @m = pool 4 -> tokens -> dense 4; tokens -> decoder_layer @m 3 9 tanh 0.1 pre=false }",
    ],
}  # fmt: skip
CASES = [(name, call) for name, calls in CALLS.items() for call in calls]


def graph_for(call):
    return graph_of(f"input 6 8 12 -> {call}")


def feeds_for(graph):
    draws = np.random.default_rng(0)
    return {
        node.name: fit(graph, node, draws.normal(0, 2, (3, *node.shape.sizes)))
        for node in graph.inputs
    }


def reference(graph, weights, feeds):
    return load_backend("reference").open_session(graph, weights, "float64").predict(feeds)


@pytest.fixture(scope="module")
def keras():
    with process("tensorflow") as call:
        yield call


def test_every_block_is_here():
    assert list(CALLS) == list(library.names())
    for name, call in CASES:
        assert f"{name} " in f"{call} "


@pytest.mark.parametrize(("name", "call"), CASES)
@pytest.mark.parametrize(("target", "limit"), [("torch", 1e-12), ("onnx", 1e-7)])
def test_a_block_computes_what_the_reference_does(name, call, target, limit):
    graph = graph_for(call)
    weights, feeds = random_weights(graph), feeds_for(graph)
    assert f"{name}1" in {scope.path for scope in graph.scopes}
    found = load_backend(target).open_session(graph, weights, "float64").predict(feeds)
    assert_close(found, reference(graph, weights, feeds), limit)


@pytest.mark.parametrize("call", [call for _, call in CASES])
def test_a_block_computes_the_same_in_keras(keras, call):
    graph = graph_for(call)
    weights, feeds = random_weights(graph), feeds_for(graph)
    (found,), _ = keras(keras_worker.examine, graph, weights, "float64", [feeds], None)
    loose = [FLOAT64_BY_OP.get(("keras", node.op.kind), FLOAT64) for node in graph.nodes]
    assert_close(found, reference(graph, weights, feeds), max(loose))


@pytest.mark.parametrize("target", ["torch", "keras"])
def test_the_emitted_source_is_clean(target, tmp_path):
    for number, (_, call) in enumerate(CASES):
        (tmp_path / f"net{number}.py").write_bytes(load_backend(target).emit(graph_for(call)))
    for command in (["check"], ["format", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--quiet", str(tmp_path)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- names ----


def layers(call):
    """The names of all layers with weights, without the first part."""
    weights = (name for name, _ in graph_for(call).weights())
    return list(dict.fromkeys(name.partition(".")[2].rpartition(".")[0] for name in weights))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("conv_bn 4", "0 1"),
        ("squeeze_excite 2", "fc1 fc2"),
        ("inverted_residual 6", "conv.0.0 conv.0.1 conv.1.0 conv.1.1 conv.2 conv.3"),
        ("inverted_residual 6 expand=1", "conv.0.0 conv.0.1 conv.1 conv.2"),
        (
            "mbconv 6",
            "block.0.0 block.0.1 block.1.0 block.1.1 block.2.fc1 block.2.fc2 block.3.0 block.3.1",
        ),
        ("mbconv 6 6", "block.0.0 block.0.1 block.1.fc1 block.1.fc2 block.2.0 block.2.1"),
        ("mbconv 6 squeeze=0", "block.0.0 block.0.1 block.1.0 block.1.1 block.2.0 block.2.1"),
        ("basic_block 8", "conv1 bn1 conv2 bn2 downsample.0 downsample.1"),
        ("bottleneck 8", "conv1 bn1 conv2 bn2 conv3 bn3 downsample.0 downsample.1"),
        (
            "dense_block 2 4",
            "denselayer1.norm1 denselayer1.conv1 denselayer1.norm2 denselayer1.conv2 "
            "denselayer2.norm1 denselayer2.conv1 denselayer2.norm2 denselayer2.conv2",
        ),
        ("transition", "norm conv"),
        ("fire 2", "squeeze expand1x1 expand3x3"),
    ],
)
def test_weights_are_called_as_in_torchvision(call, expected):
    assert layers(call) == expected.split()


def test_widths_are_those_of_the_papers():
    shapes = dict(graph_of("input 256 8 8 -> bottleneck 64 groups=32 width=4").weights())
    assert shapes["bottleneck1.conv2.weight"].shape == (128, 4, 3, 3)
    wide = dict(graph_of("input 256 8 8 -> bottleneck 64 width=128").weights())
    assert wide["bottleneck1.conv2.weight"].shape == (128, 128, 3, 3)


# ---- names in sight ----


def test_a_users_block_takes_the_place_of_a_standard_one_but_not_inside_the_library():
    own = "block conv_bn(c) { dense c }\ninput 6 8 8\n"
    assert [node.op.kind for node in graph_of(f"{own}conv_bn 4").nodes][-1] == "dense"
    theirs = graph_of(f"{own}depthwise_separable 4")
    assert [node.op.kind for node in theirs.nodes][1:] == ["conv", "bn", "relu"] * 2


def test_a_block_is_a_value_too():
    graph = graph_of("block twice(c, body=conv_bn) { body c -> body c }\ninput 3 8 8\ntwice 4")
    assert graph.nodes[-1].name == "twice1.conv_bn2.2"


def test_a_misspelt_block_is_suggested():
    with pytest.raises(SpecError) as caught:
        graph_of("input 3 8 8 -> squeze_excite")
    assert caught.value.diagnostics[0].help == "did you mean `squeeze_excite`?"


def test_a_mistake_shows_the_users_call():
    with pytest.raises(SpecError) as caught:
        graph_of("input 3 8 8\nunet 4 5")
    (mistake,) = caught.value.diagnostics
    assert mistake.span.source is SOURCE
    assert (
        mistake.trace[-1].message
        == "in `unet`, called with c = 4, depth = 5, norm = bn, act = relu"
    )
    assert mistake.trace[-1].span.position[:2] == ("test.net", 2)


def test_no_block_hides_an_op():
    assert [name for name in library.names() if find(name)] == []


def test_the_file_holds_blocks_alone_each_with_a_comment_in_canonical_form():
    blocks = parse(SOURCE).items
    assert [block.name.name for block in blocks] == list(library.names())
    for block in blocks:
        before = SOURCE.text[: block.span.start].splitlines()[-1]
        assert before.startswith("# "), block.name.name
        assert library.find(block.name.name).block == block
    assert format_source(SOURCE) == SOURCE.text


def test_nothing_is_parsed_before_a_block_is_used():
    code = (
        "import netspec; from netspec.language import library; netspec.load('examples/resnet18.net');"
        "print(library.source.cache_info().currsize, end='');"
        "netspec.parse('input 3 8 8 -> mbconv 4');print(library._closure.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "03\n"
