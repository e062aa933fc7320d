"""Weights in Keras's files: ours bit by bit, a tutorial's by order, and nothing that is not plain numbers."""

from __future__ import annotations

import json
import re
import zipfile

import h5py
import keras_worker
import numpy as np
import pytest
from graphs import chain, examples_graph, joined
from keras_process import REALISED, process, reference, target

from netspec.checkpoints.formats import read_checkpoint
from netspec.diagnostics import SpecError
from netspec.weights import random_weights

GRAPH = chain(
    "input 3 8 8", "conv 4 3", "bn eps=1e-3 momentum=0.99", "relu", "conv 4 3", "dense 5", "dense 5"
)
WEIGHTS = random_weights(GRAPH)


@pytest.fixture(scope="module")
def keras():
    with process("torch") as call:
        yield call


def test_the_weights_of_every_op_survive_a_file_bit_by_bit(keras):
    ops = dict.fromkeys(op for op, _ in REALISED)
    graphs = [graph for graph in (examples_graph(op, target) for op in ops) if [*graph.weights()]]
    graph = joined(graphs)
    draws = np.random.default_rng(0)
    weights = {
        name: draws.integers(0, 2**32, weight.shape, dtype=np.uint32).view(np.float32)
        for name, weight in graph.weights()
    }
    found, names = keras(keras_worker.through_file, graph, weights, ".keras")
    assert list(found) == list(weights)
    for name, array in weights.items():
        assert found[name].tobytes() == array.tobytes(), name
    assert names == ["model.keras", "model.py"]


def test_weights_alone_survive_too(keras):
    found, names = keras(keras_worker.through_file, GRAPH, WEIGHTS, ".weights.h5")
    assert all(found[name].tobytes() == array.tobytes() for name, array in WEIGHTS.items())
    assert names == ["model.weights.h5"]


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_a_tutorials_model_is_matched_by_order_and_gives_the_same_numbers(keras, suffix):
    x = np.random.default_rng(0).normal(size=(7, 8, 8, 3)).astype("f4")
    found, report, refused, y = keras(keras_worker.from_foreign, GRAPH, x, suffix)
    assert "missing-weight" in refused
    assert "unknown-order" in refused
    assert re.match(r"conv2d(_2)?/0 .* conv1.weight +order$", report.splitlines()[1])
    wanted = reference.open_session(GRAPH, found, "float64").predict(
        {"input": x.transpose(0, 3, 1, 2)}
    )
    np.testing.assert_allclose(y, wanted["output"], atol=1e-5)


def test_a_keras_file_loads_where_netspec_is_not(keras):
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("f4")
    y, names = keras(keras_worker.alone, GRAPH, WEIGHTS, x)
    assert names == ["m.keras", "m.py", "foreign-file"]
    wanted = reference.open_session(GRAPH, WEIGHTS, "float64")
    feeds = {"input": x.transpose(0, 3, 1, 2)}
    np.testing.assert_allclose(y, wanted.predict(feeds)["output"], atol=1e-5)


# ---- what is refused, without Keras ----


def mistake(path):
    with pytest.raises(SpecError) as caught:
        read_checkpoint(path)
    return caught.value.diagnostics[0]


def stored(path, **more):
    """A file as Keras lays it out, with more in its layer."""
    with h5py.File(path, "w") as file:
        variables = file.create_group("layers/dense/vars")
        variables.attrs["name"] = "fc"
        variables["0"] = np.ones((2, 3), "f4")
        variables["1"] = np.arange(3)
        file["optimizer/vars/0"] = np.ones(3)
        for name, content in more.items():
            variables[name] = content
    return path


def test_layers_are_called_by_their_names_and_the_rest_is_left_out(tmp_path):
    (tensor,) = read_checkpoint(stored(tmp_path / "a.weights.h5")).tensors
    assert (tensor.name, tensor.shape, tensor.group) == ("fc/0", (2, 3), "dense")


def test_links_and_claims_are_refused(tmp_path):
    stored(tmp_path / "other.h5")
    outside = h5py.ExternalLink("other.h5", "layers/dense/vars/0")
    for link in (outside, h5py.SoftLink("/layers"), h5py.SoftLink("/nowhere")):
        found = mistake(stored(tmp_path / "a.weights.h5", link=link))
        assert found.id == "unsafe-file"
    with h5py.File(tmp_path / "b.weights.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", (2**34,), "f4", compression="gzip")
    assert mistake(tmp_path / "b.weights.h5").id == "unsafe-file"
    (tmp_path / "raw").write_bytes(bytes(4000))
    with h5py.File(tmp_path / "c.weights.h5", "w") as file:
        external = [(str(tmp_path / "raw"), 0, 4000)]
        file.create_dataset("layers/dense/vars/0", (1000,), "f4", external=external)
    assert mistake(tmp_path / "c.weights.h5").id == "unsafe-file"


def test_archives_that_are_none(tmp_path):
    content = stored(tmp_path / "a.weights.h5").read_bytes()
    path = tmp_path / "a.keras"

    def archive(**members):
        with zipfile.ZipFile(path, "w") as file:
            for name, member in members.items():
                deflated = zipfile.ZIP_STORED if member is content else zipfile.ZIP_DEFLATED
                file.writestr(name.replace("_", "."), member, deflated)
        return path

    assert "it lacks" in mistake(archive(config_json="{}")).message
    assert mistake(archive(config_json="{", model_weights_h5=content)).id == "bad-weight-file"
    assert (
        mistake(archive(config_json="[" * 10**5, model_weights_h5=content)).id == "bad-weight-file"
    )
    bomb = json.dumps({"config": " " * 10**8})
    assert mistake(archive(config_json=bomb, model_weights_h5=content)).id == "unsafe-file"
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["weights"] = np.ones(3)
    assert "holds no variables" in mistake(tmp_path / "b.h5").message


def test_broken_files_are_named(tmp_path):
    path = stored(tmp_path / "a.weights.h5")
    whole = path.read_bytes()
    for place in (9, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place])
        assert mistake(path).id == "bad-weight-file"
