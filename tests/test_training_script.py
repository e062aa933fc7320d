"""Scripts that train: each is a run of its recipe, to the last digit, and a file that its owner is glad of."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from graphs import graph_of

import netspec
from netspec.diagnostics import SpecError
from netspec.training import Data, Part, load_data, train
from netspec.training.recipe import declare
from netspec.training.script import write_script

NETWORKS = {
    "image": ("input 1 6 6 -> conv 3 3 bias=false -> bn -> relu -> dense 3 -> softmax", ()),
    "places": ("input 5 4 -> dense 3", (5,)),
    "number": ("input 4 -> dense 3 -> tanh -> dense 1", None),
    "several": (
        "@left = input 4\n@words = input 3 dtype=int\n"
        "concat { @left | @words -> embedding 9 5 -> flatten } -> dense 3",
        (),
    ),
}
RECIPES = {
    "image": (
        {},
        {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "cosine", "warmup": 1},
        {"class_weights": "balanced", "early_stopping": 1, "min_delta": 0.01, "lr": 0.1},
        {"weight_decay": 0.01, "decay": "decoupled", "decay_all": True, "schedule": "linear"},
    ),
    "several": ({"early_stopping": 2, "schedule": "linear"},),
    "places": (
        {
            "class_weights": (1.0, 1 / 3, 2 / 7),
            "schedule": "step",
            "step_epochs": 2,
            "gamma": 1 / 7,
        },
    ),
    "number": (
        {
            "optimizer": "sgd",
            "momentum": 1 / 3,
            "nesterov": True,
            "weight_decay": 1 / 7,
            "lr": 1 / 49,
        },
        {
            "optimizer": "sgd",
            "momentum": 0.5,
            "weight_decay": 0.1,
            "decay": "decoupled",
            "clip_norm": 1 / 7,
            "warmup": 1.5,
        },
        {"loss": "bce", "val_split": 0, "optimizer": "adamw", "weight_decay": 0.0},
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scripts")


def drawn(draws, shape, count):
    if shape.dtype == "int":
        return draws.integers(0, 9, (count, *shape.sizes))
    return draws.normal(size=(count, *shape.sizes))


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, i) for kind, each in RECIPES.items() for i in range(len(each))]
)
def test_a_script_does_what_the_command_does(kind, number, folder, monkeypatch, capsys):
    text, places = NETWORKS[kind]
    name = f"{kind}{number}"
    graph = graph_of(text, name)
    draws = np.random.default_rng(0)
    count = 41  # with the part that is held out, the last batch of an image has one example
    x = {node.name: drawn(draws, node.shape, count) for node in graph.inputs}
    y = draws.random(count) if places is None else draws.integers(0, 3, (count, *places))
    whole = Part(x, y)
    data = Data("drawn", whole, test=whole.take(np.arange(5)))
    fields = {"val_split": 0.2, **RECIPES[kind][number]}
    recipe = declare(epochs=6, batch=8, precision="float64", seed=5, **fields)
    path = folder / f"go_{name}.py"
    assert write_script(path, graph, data, recipe)[1] == str(folder / f"go_{name}_network.py")
    monkeypatch.syspath_prepend(folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    model = getattr(script, name.capitalize())().double()
    netspec.set_weights(model, graph, netspec.init_weights(graph, 5), target="torch")
    script.train(model)
    result = train(graph, data, recipe)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert lines == [f"epoch {row['epoch']}: loss {row['loss']:.4f}" for row in result.history.rows]
    found = netspec.get_weights(model, graph, target="torch")
    for tensor, array in result.weights.items():
        np.testing.assert_allclose(found[tensor], array, rtol=1e-9, atol=1e-12)


def test_scripts_are_clean_and_run_alone(folder):
    """After the tests above: in the folder that they filled."""
    for command in ("check", "format --check"):
        ruff = [sys.executable, "-m", "ruff", *command.split(), "--isolated", "."]
        done = subprocess.run(ruff, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    script = folder / "go_image2.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].startswith("test: loss ")
    assert script.with_suffix(".pt").exists()


def test_examples_of_a_script_train_again(folder):
    """The file beside it is what `--data` takes: after the tests above, in the folder that they filled."""
    text, _ = NETWORKS["several"]
    again = load_data(folder / "go_several0.npz")
    graph = graph_of(text, "several0")
    assert train(graph, again, declare(epochs=1)).test is not None


def test_an_input_is_not_called_as_the_targets(tmp_path):
    graph = graph_of("@a = input 2\n@y = input 2\nadd { @a | @y } -> dense 1")
    data = Data("two", Part({"a": np.zeros((4, 2)), "y": np.zeros((4, 2))}, np.zeros(4)))
    with pytest.raises(SpecError, match="`y` are the targets"):
        write_script(tmp_path / "go.py", graph, data, declare())
