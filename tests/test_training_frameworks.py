"""One recipe, one training: PyTorch and Keras learn the same, and so do one process and two."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras_process
import numpy as np
import pytest
import training_worker
from graphs import graph_of

from netspec.training.task import Place

HERE = Path(__file__).parent

RECIPES = {
    "n1": {"optimizer": "adamw", "class_weights": "balanced"},
    "n2": {
        "optimizer": "sgd",
        "lr": 0.05,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "schedule": "cosine",
        "warmup": 2,
    },
    "tokens": {"lr": 0.01},
    "n3": {"weight_decay": 0.1, "loss": "huber", "clip_norm": 0.5},
}


@pytest.fixture(scope="module")
def keras():
    with keras_process.process("tensorflow") as run:
        yield run


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_fifty_steps_are_the_same_in_both_frameworks(name, keras):
    """In float64, where a difference is one of meaning: in float32 rounding alone grows to per cents in N1.

    Losses and metrics of training, and those in inference mode, which see the statistics of batch norms.
    Weights are held less tightly: Adam divides rounding by rounding where a gradient is nearly 0. So is a run
    whose gradients are clipped: PyTorch adds 1e-6 to their norm.
    """
    limit = 1e-6 if "clip_norm" in RECIPES[name] else 1e-8
    rows, weights = training_worker.fifty_steps(name, "torch", RECIPES[name])
    others, found = keras(training_worker.fifty_steps, name, "keras", RECIPES[name])
    for row, other in zip(rows, others, strict=True):
        wanted = {measure: value for measure, value in row.items() if measure != "seconds"}
        assert {each: other[each] for each in wanted} == pytest.approx(wanted, rel=limit)
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    for tensor, array in weights.items():
        np.testing.assert_allclose(found[tensor], array, rtol=0, atol=1e-6 * np.abs(array).max())


@pytest.mark.slow
def test_keras_goes_on_exactly(keras, tmp_path):
    """Dropout, the optimizer's state, the schedule, the best weights and the patience."""
    graph = graph_of("input 5 -> dense 8 -> relu -> dropout 0.4 -> bn -> dense 3")
    data = training_worker.few(graph, 60, held=20)
    fields = {"epochs": 6, "batch": 8, "early_stopping": 4, "schedule": "cosine", "lr": 0.05}
    whole, parts = keras(
        training_worker.taken_up, graph, data, fields, "keras", tmp_path / "state.safetensors"
    )
    assert len(whole.history.rows) > 3
    for row, other in zip(whole.history.rows, parts.history.rows, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
    assert whole.best == parts.best
    for tensor, array in whole.weights.items():
        np.testing.assert_array_equal(array, parts.weights[tensor])


@pytest.mark.slow
@pytest.mark.parametrize("name", training_worker.SCRIPTS)
def test_a_script_in_keras_does_what_the_command_does(name, keras, tmp_path):
    """In float64, to the little that the powers of Adam's betas differ; a file that its owner is glad of."""
    (found, weights), (wanted, others) = keras(training_worker.of_a_script, name, tmp_path)
    for measure, values in wanted.items():
        assert found[measure] == pytest.approx(values, rel=1e-6)
    for tensor, array in others.items():
        np.testing.assert_allclose(weights[tensor], array, rtol=0, atol=1e-5 * np.abs(array).max())
    for command in ("check", "format --check"):
        ruff = [sys.executable, "-m", "ruff", *command.split(), "--isolated", "."]
        done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_keras_learns_the_same_on_its_other_backends(backend):
    """Ten steps in float32, held to PyTorch's."""
    wanted = training_worker.ten_steps("torch")
    with keras_process.process(backend) as run:
        found = run(training_worker.ten_steps, "keras")
    for row, other in zip(wanted, found, strict=True):
        assert {**other, "seconds": 0} == pytest.approx({**row, "seconds": 0}, rel=1e-4)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path):
    """Torchrun with gloo, on this machine alone: losses, metrics, weights and statistics of batch norms."""
    training_worker.share(tmp_path, Place())
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--standalone", "--local-addr", "127.0.0.1"]
    command += [str(HERE / "training_worker.py"), str(tmp_path)]
    done = subprocess.run(
        command, cwd=HERE.parent, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    alone, together = (np.load(tmp_path / f"{world}.npz") for world in (1, 2))
    assert set(alone.files) == set(together.files)
    for name in alone.files:
        np.testing.assert_allclose(together[name], alone[name], rtol=1e-9, atol=1e-11)
    assert alone["loss52"][-1] < alone["loss52"][0]
