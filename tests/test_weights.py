"""Initial weights, checks of given ones, and the canonical file."""

from __future__ import annotations

import hashlib
import json
import struct

import numpy as np
import pytest
from graphs import chain, graph_of

import netspec
from netspec.diagnostics import SpecError
from netspec.weights import (
    check_weights,
    dump_weights,
    init_weights,
    load_weights,
    random_weights,
    save_weights,
)

GRAPH = chain("input 3 8 8", "conv 4 3", "bn", "relu", "pool 2", "dense 5")
GOLDEN = {
    init_weights: "731b80b9858bd725cdc0e54cb5ef69a9e06e6297ebdf5be964d60f8cfed35a9d",
    random_weights: "0608768b4141ce0c52d9f9d755750860724614a1a427f33c064cda24d76545fa",
}


def digest(weights):
    """Over names, shapes and bytes, with zeros of either sign as one."""
    total = hashlib.sha256()
    for name, array in weights.items():
        assert array.dtype == np.float32
        total.update(f"{name}{array.shape}".encode() + (array + 0.0).tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("draw", GOLDEN)
def test_a_seed_means_the_same_numbers_for_ever(draw):
    """NumPy does not promise its distributions across versions: this fails where one changes."""
    assert digest(draw(GRAPH, 7)) == GOLDEN[draw]


@pytest.mark.parametrize("draw", GOLDEN)
def test_seeds_differ(draw):
    assert digest(draw(GRAPH, 0)) != digest(draw(GRAPH, 1))


@pytest.mark.parametrize("draw", GOLDEN)
def test_a_new_layer_leaves_the_other_weights_alone(draw):
    longer = chain("input 3 8 8", "conv 4 3", "bn", "relu", "bn", "pool 2", "dense 5", "dense 3")
    before, after = draw(GRAPH, 0), draw(longer, 0)
    assert before.keys() < after.keys()
    for name, array in before.items():
        assert np.array_equal(array, after[name]), name


def test_names_shapes_and_order_are_the_graphs():
    weights = init_weights(GRAPH)
    assert [(name, array.shape) for name, array in weights.items()] == [
        ("conv1.weight", (4, 3, 3, 3)),
        ("conv1.bias", (4,)),
        ("bn1.weight", (4,)),
        ("bn1.bias", (4,)),
        ("bn1.running_mean", (4,)),
        ("bn1.running_var", (4,)),
        ("dense1.weight", (5, 36)),
        ("dense1.bias", (5,)),
    ]


def test_initial_values_follow_the_initializers():
    weights = init_weights(chain("input 400", "dense 300", "bn"))
    assert np.abs(weights["dense1.weight"]).max() <= 1 / 20
    assert weights["dense1.weight"].std() == pytest.approx(1 / 20 / 3**0.5, rel=0.01)
    assert (weights["bn1.weight"] == 1).all()
    assert (weights["bn1.running_var"] == 1).all()
    assert (weights["bn1.bias"] == 0).all()


def test_random_weights_are_those_of_a_trained_network():
    weights = random_weights(chain("input 400", "dense 300", "bn"))
    assert weights["dense1.weight"].std() == pytest.approx((2 / 400) ** 0.5, rel=0.01)  # He's
    assert (weights["bn1.weight"] < 0).mean() == pytest.approx(0.25, abs=0.1)
    assert (np.abs(weights["bn1.weight"]) > 0.6).all()
    assert (weights["bn1.running_var"] >= 0.5).all()
    assert weights["bn1.running_mean"].std() == pytest.approx(0.2, rel=0.2)


def test_good_weights_pass():
    check_weights(GRAPH, init_weights(GRAPH))
    check_weights(GRAPH, {n: a.astype(np.float64) for n, a in init_weights(GRAPH).items()})


def test_bad_weights_are_all_listed():
    weights = init_weights(GRAPH)
    del weights["bn1.bias"]
    weights["dense1.weight"] = weights["dense1.weight"].T
    weights["dense1.bias"] = weights["dense1.bias"].astype(np.int64)
    weights["conv1.bias"] = np.float32(1).reshape(())
    weights["fc.weight"] = np.ones((2, 3), np.float32)
    with pytest.raises(SpecError) as caught:
        check_weights(GRAPH, weights, "those of a.safetensors")
    assert [(d.id, d.message) for d in caught.value.diagnostics] == [
        ("missing-weight", "those of a.safetensors lack `bn1.bias` (4)"),
        (
            "misshapen-weight",
            "`conv1.bias` is a single number in those of a.safetensors, not 4",
        ),
        ("misshapen-weight", "`dense1.weight` is 36 x 5 in those of a.safetensors, not 5 x 36"),
        ("non-float-weight", "`dense1.bias` holds int64 in those of a.safetensors, not floats"),
        (
            "extra-weight",
            "those of a.safetensors hold `fc.weight`, which the network does not have",
        ),
    ]


def test_a_file_gives_back_what_was_written(tmp_path):
    weights = random_weights(GRAPH)
    weights["dense1.weight"] = np.asfortranarray(weights["dense1.weight"])
    path = tmp_path / "a.safetensors"
    path.write_bytes(dump_weights({**weights, "unrelated": np.ones(3)}, GRAPH))
    loaded = load_weights(path)
    assert loaded.keys() == weights.keys()
    for name, array in weights.items():
        assert loaded[name].dtype == array.dtype
        assert np.array_equal(loaded[name], array)
    check_weights(GRAPH, loaded)


def test_the_same_weights_give_the_same_bytes():
    weights = init_weights(GRAPH)
    files = {dump_weights(dict(reversed(weights.items())), GRAPH) for _ in range(8)}
    assert files == {dump_weights(weights, GRAPH)}


def test_a_file_names_its_spec():
    content = dump_weights(init_weights(GRAPH), GRAPH)
    (size,) = struct.unpack("<Q", content[:8])
    about = json.loads(content[8 : 8 + size])["__metadata__"]
    assert json.loads(about["netspec"]) == {
        "name": GRAPH.name,
        "fingerprint": GRAPH.fingerprint,
    }


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"cannot read .*gone\.safetensors: No such file"):
        load_weights(tmp_path / "gone.safetensors")
    with pytest.raises(SpecError, match=r"cannot read .*: Is a directory"):
        load_weights(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 a zip file, as PyTorch writes",
        struct.pack("<Q", 2**60) + b"{}",
        dump_weights(init_weights(GRAPH), GRAPH)[:-1],
        struct.pack("<Q", 7) + b'{"a":1}',
    ],
    ids=["empty", "zip", "huge header", "cut off", "bad header"],
)
def test_a_bad_file_is_named(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=r"bad\.safetensors is not a safetensors file: "):
        load_weights(path)


def test_weights_that_are_not_the_graphs_are_not_saved(tmp_path):
    graph = graph_of("input 3\ndense 2")
    for weights, id_ in (
        ({}, "missing-weight"),
        (init_weights(graph_of("input 4\ndense 2")), "misshapen"),
    ):
        with pytest.raises(netspec.SpecError, match=id_):
            save_weights(tmp_path / "w.safetensors", weights, graph)
    with pytest.raises(netspec.SpecError, match="is a list"):
        check_weights(graph, {**init_weights(graph), "dense1.bias": [0, 0]})


def test_a_saved_file_loads_as_it_was(tmp_path):
    weights = init_weights(GRAPH, 5)
    save_weights(tmp_path / "w.safetensors", weights, GRAPH)
    found = load_weights(tmp_path / "w.safetensors")
    assert found.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_target_that_cannot_be_trained_takes_no_weights():
    with pytest.raises(SpecError, match="a model built for `onnx` keeps the weights"):
        netspec.set_weights(None, GRAPH, init_weights(GRAPH), target="onnx")
