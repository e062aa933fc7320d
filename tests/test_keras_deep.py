"""Networks too deep for one Keras model: cut into models within the model, they compute and train as the others."""

from __future__ import annotations

import re

import keras_worker
import numpy as np
import pytest
from graphs import chain, graph_of
from keras_networks import NETWORKS
from keras_process import check, feeds_for, process, target
from shared import SHARED

from netspec.backends.keras import stages
from netspec.weights import init_weights, random_weights

INSIDE = """
block body(c) { repeat 4 { residual { conv c 3 padding=1 -> relu } } }
net inside { input 3 5 5 -> conv 4 1 -> body 4 -> conv 6 1 -> body 6 -> gap -> dense 2 }
"""
ACROSS = """
input 6
@a = dense 6 -> relu
repeat 3 { add { dense 6 -> tanh | @a } }
@b = relu -> dense 6
repeat 3 { mul { dense 6 -> sigmoid | @a | @b } }
@a -> dense 4
out last=@, a=@a, b=@b
"""
HELD = "share tok = embed 11 6\ninput 5 dtype=int\ntok\nrepeat 9 { residual { relu -> dense 6 } }\ntied tok"
TEXTS = {**NETWORKS, **SHARED, "inside": INSIDE, "across": ACROSS, "held": HELD}


@pytest.fixture(scope="module")
def keras():
    with process("tensorflow") as call:
        yield call


@pytest.fixture
def cut(monkeypatch):
    monkeypatch.setattr(stages, "DEEP", 5)
    monkeypatch.setattr(stages, "STAGE", 3)


@pytest.mark.parametrize("name", TEXTS)
def test_networks_in_stages_agree_with_the_reference(keras, name):
    def staged(function, *arguments):
        return keras(keras_worker.in_stages, function, *arguments)

    check(staged, graph_of(TEXTS[name]), "float64", 1e-6, sizes=[2])


def test_a_thousand_layers_compute_and_train(keras):
    """Residual and small, so that what comes out still depends on what goes in."""
    graph = chain("input 4", "repeat 334 { residual { dense 4 -> times 0.01 } }")
    check(keras, graph, "float32", 1e-4, training=1e-3, sizes=[3])


def test_stages_are_saved(keras):
    graph = chain("input 4", "repeat 12 { residual { dense 4 -> times 0.01 } }")
    weights, feeds = init_weights(graph), feeds_for(graph, 3)
    reload = (keras_worker.in_stages, keras_worker.reload)
    before, after, found = keras(*reload, graph, weights, feeds["input"])
    np.testing.assert_array_equal(after, before, strict=True)
    assert list(found) == [name for name, _ in graph.weights()]
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def depth_of(text):
    """The longest run of statements of one function."""
    return max(len(re.findall(r"^    \w+ = layers", body, re.M)) for body in text.split("\ndef "))


def test_a_chain_is_cut_evenly():
    source = target.emit(chain("input 4", "repeat 1000 { dense 4 }")).decode()
    assert depth_of(source) <= stages.STAGE
    assert 'x = as_model("stage1", stage1, [inputs])' in source
    assert '    """From `dense1` to `dense250`."""' in source
    assert 'x = layers.Dense(4, name="dense251")(x)' in source


def test_what_is_not_deep_stays_in_one_model():
    source = target.emit(chain("input 4", f"repeat {stages.DEEP} {{ dense 4 }}")).decode()
    assert "as_model" not in source


@pytest.mark.usefixtures("cut")
def test_the_stages_of_a_block_have_its_parameters():
    source = target.emit(graph_of(INSIDE)).decode()
    assert "def body_stage1(" in source
    assert 'x = as_model(f"{name}_stage1", body_stage1, [x], c, name=name)' in source
    assert '    """`body1` alone."""' in source


@pytest.mark.usefixtures("cut")
def test_a_stage_is_not_called_as_a_layer():
    text = "input 4 -> repeat 4 { dense 4 -> relu } -> stage1: dense 4 -> a.stage_2: dense 3"
    source = target.emit(graph_of(text)).decode()
    assert 'as_model("stage__1", ' in source
    names = re.findall(r'name="(\w+)"|as_model\("(\w+)"', source)
    assert len(names) == len({*names})


@pytest.mark.usefixtures("cut")
def test_shared_layers_stay_beside_each_other():
    source = target.emit(graph_of(HELD)).decode()
    assert "tok = ReversibleEmbedding(11, 6" in source.partition("keras.Input(")[2]
    assert "as_model(" in source


def test_the_weights_of_a_network_in_stages(keras):
    graph = graph_of(INSIDE)
    weights = random_weights(graph)
    found = keras(keras_worker.in_stages, keras_worker.round_trip, graph, weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_too_many_uses_of_a_shared_layer_are_refused(keras):
    graph = graph_of("share same = dense 4\ninput 4\nrepeat 500 { same -> relu }")
    words = keras(keras_worker.refusal, graph, random_weights(graph), "float32")
    assert words is not None
    assert words.startswith("too-deep: Keras recurses over the layers of a model")
