"""Runs of training in PyTorch: recipes, losses, early stopping, checkpoints, and going on."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pytest
import torch
from graphs import graph_of
from training_worker import Stop

import netspec
from netspec.diagnostics import SpecError
from netspec.training import Data, Part, Recipe, load_data, train
from netspec.training.examples import examples_of, objective_of
from netspec.training.order import Order
from netspec.training.recipe import declare

F = torch.nn.functional

DROPPING = graph_of(
    "input 1 8 8 -> conv 4 3 padding=1 -> bn -> relu -> pool 4 -> dense 8 -> relu -> dropout 0.3 -> dense 10"
)

PLAIN = graph_of("input 5 -> dense 4 -> tanh -> dense 3")


@pytest.fixture(scope="module")
def digits():
    """A few of them, with as many held out."""
    data = load_data("digits")
    some = np.arange(90)
    return Data("few", data.train.take(some), data.train.take(some + 90), data.test.take(some))


def draw(graph, targets, count=21, seed=0):
    draws = np.random.default_rng(seed)
    x = draws.normal(size=(count, *graph.inputs[0].shape.sizes)).astype("f")
    return Data("drawn", Part({"x": x}, targets(draws, count)))


def labels(draws, count):
    return draws.integers(0, 3, count)


def losses(result):
    return [row["loss"] for row in result.history.rows]


def by_hand(graph, data, recipe, loss, optimizer):
    """The loss of each epoch of a loop as anybody would write it, in float64."""
    model = netspec.build(graph, target="torch", seed=recipe.seed).double().train()
    step = optimizer(model)
    x, y = torch.from_numpy(data.train.x["x"]).double(), torch.from_numpy(data.train.y)
    order, found = Order(len(x), recipe.batch, recipe.seed), []
    for epoch in range(recipe.epochs):
        total = 0.0
        for batch in order.batches(epoch):
            value = loss(model(x[batch]), y[batch])
            model.zero_grad()
            value.backward()
            step()
            total += value.item() * len(batch)
        found.append(total / len(x))
    return found


WEIGHTS = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)


def stepping(kind, **options):
    return lambda model: kind(model.parameters(), **options).step


def decaying(kind, rate, **options):
    """Weights decay, biases do not."""

    def prepare(model):
        kernels = [weight for weight in model.parameters() if weight.ndim > 1]
        biases = [weight for weight in model.parameters() if weight.ndim == 1]
        groups = [{"params": kernels, "weight_decay": rate}, {"params": biases}]
        return kind(groups, weight_decay=0, **options).step

    return prepare


def decoupled_sgd(model):
    inner = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)

    def step():
        with torch.no_grad():
            for weight in model.parameters():
                weight *= 1 - 0.1 * 0.02
        inner.step()

    return step


def clipped(model):
    inner = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.2)
        inner.step()

    return step


@pytest.mark.parametrize(
    ("fields", "loss", "optimizer"),
    [
        ({}, F.cross_entropy, stepping(torch.optim.Adam)),
        (
            {"optimizer": "adamw", "weight_decay": 0.1, "lr": 0.01},
            F.cross_entropy,
            decaying(torch.optim.AdamW, 0.1, lr=0.01),
        ),
        (
            {"weight_decay": 0.1, "class_weights": (1.0, 2.0, 0.5)},
            lambda y, labels: F.cross_entropy(y, labels, WEIGHTS),
            decaying(torch.optim.Adam, 0.1),
        ),
        (
            {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.1, "decay_all": True},
            F.cross_entropy,
            stepping(torch.optim.SGD, lr=0.01, momentum=0.9, weight_decay=0.1),
        ),
        (
            {
                "optimizer": "sgd",
                "lr": 0.1,
                "momentum": 0.9,
                "nesterov": True,
                "weight_decay": 0.02,
                "decay": "decoupled",
                "decay_all": True,
            },
            F.cross_entropy,
            decoupled_sgd,
        ),
        ({"optimizer": "sgd", "lr": 0.1, "clip_norm": 0.2}, F.cross_entropy, clipped),
    ],
)
def test_a_recipe_means_what_pytorch_means(fields, loss, optimizer):
    recipe = declare(epochs=3, batch=6, precision="float64", **fields)
    data = draw(PLAIN, labels)
    wanted = by_hand(PLAIN, data, recipe, loss, optimizer)
    assert losses(train(PLAIN, data, recipe)) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("mse", F.mse_loss),
        ("mae", F.l1_loss),
        ("huber", F.huber_loss),
        ("bce", F.binary_cross_entropy_with_logits),
    ],
)
def test_losses_of_numbers(name, loss):
    data = draw(PLAIN, lambda draws, count: draws.random((count, 3)))
    recipe = declare(epochs=2, batch=6, precision="float64", loss=name)
    wanted = by_hand(PLAIN, data, recipe, loss, stepping(torch.optim.Adam))
    assert losses(train(PLAIN, data, recipe)) == pytest.approx(wanted, rel=1e-12)


def test_rates_of_schedules():
    def rates(**fields):
        return declare(lr=1, **fields).rates(2)

    assert rates(epochs=2) == [1, 1, 1, 1]
    assert rates(epochs=2, schedule="linear") == [1, 0.75, 0.5, 0.25]
    assert rates(epochs=3, schedule="step", step_epochs=1, gamma=0.5) == [
        1,
        1,
        0.5,
        0.5,
        0.25,
        0.25,
    ]
    cosine = rates(epochs=3, schedule="cosine", warmup=1)
    assert cosine == pytest.approx([1 / 3, 2 / 3, 1, 0.853553, 0.5, 0.146447], rel=1e-5)


def test_the_rate_of_each_step_is_the_optimizers():
    """SGD on a loss whose gradient is known: each step takes off its rate."""
    graph = graph_of("input 1 -> dense 1 bias=false")
    data = Data("one", Part({"x": np.ones((4, 1), "f")}, np.full((4, 1), -100.0)))
    recipe = declare(
        epochs=3, batch=2, optimizer="sgd", lr=1, loss="mae", schedule="linear", warmup=1
    )
    weights = {"dense1.weight": np.full((1, 1), 50, "f")}
    after = train(graph, data, recipe, weights=weights).weights["dense1.weight"].item()
    assert 50 - after == pytest.approx(sum(recipe.rates(2)), rel=1e-6)


@pytest.mark.parametrize(
    ("text", "targets", "metric"),
    [
        ("input 2 6 6 -> conv 3 3 padding=1", (6, 6), "accuracy"),
        ("input 5 4 -> dense 3", (5,), "accuracy"),
        ("input 5 4 -> dense 3 -> softmax", (5,), "accuracy"),
        ("input 4 -> dense 3 -> log_softmax", (), "accuracy"),
    ],
)
def test_classes_of_places(text, targets, metric):
    graph = graph_of(text)
    data = draw(graph, lambda draws, count: draws.integers(0, 3, (count, *targets)))
    result = train(graph, data, Recipe(epochs=8, lr=0.05))
    assert result.loss == "cross-entropy"
    assert losses(result)[-1] < losses(result)[0] < 3
    outputs = netspec.build(graph, target="torch", weights=result.weights)(
        torch.from_numpy(data.train.x["x"])
    )
    place = 1 + graph.by_name[graph.outputs[0].node].shape.axes.index("c")
    found = outputs.argmax(place).numpy()
    assert set(result.history.columns) == {"epoch", "lr", "loss", metric, "seconds"}
    assert (found == data.train.y).mean() > 1 / 3


@pytest.mark.parametrize(
    ("text", "targets", "loss"),
    [
        ("input 3 -> dense 1", lambda draws, count: draws.normal(size=count), "mse"),
        ("input 3 -> dense 1", lambda draws, count: draws.integers(0, 2, count), "bce"),
        ("input 3 -> dense 1 -> sigmoid", lambda draws, count: draws.random(count) > 0.5, "bce"),
        ("input 3 -> dense 1", lambda draws, count: draws.integers(0, 9, count), "mse"),
        ("input 3 -> dense 2", lambda draws, count: draws.integers(0, 2, count), "cross-entropy"),
        (
            "input 3 -> dense 2",
            lambda draws, count: draws.integers(0, 2, (count, 1)),
            "cross-entropy",
        ),
    ],
)
def test_targets_choose_the_loss(text, targets, loss):
    graph = graph_of(text)
    data = draw(graph, targets)
    objective = objective_of(graph, data.train.y, Recipe())
    assert objective.loss == loss
    fitted = examples_of(graph, data.train, objective, "train").targets
    assert fitted.shape == ((21,) if loss == "cross-entropy" else (21, 1))


def test_validation_and_test_are_measured_by_a_net_that_infers(digits):
    recipe = Recipe(epochs=2, batch=16)
    result = train(DROPPING, digits, recipe)
    model = netspec.build(DROPPING, target="torch", weights=result.weights)
    for part, loss, accuracy in (
        (digits.val, *(result.history.column(f"val_{name}")[-1] for name in ("loss", "accuracy"))),
        (digits.test, result.test["loss"], result.test["accuracy"]),
    ):
        with torch.inference_mode():
            outputs = model(torch.from_numpy(part.x["x"]))
        found = F.cross_entropy(outputs, torch.from_numpy(part.y)).item()
        assert loss == pytest.approx(found, rel=1e-5)
        assert accuracy == pytest.approx((outputs.argmax(1).numpy() == part.y).mean())


def test_early_stopping_gives_the_best_weights(digits):
    """With a rate that ruins what was learned, the best epoch is not the last."""
    recipe = Recipe(epochs=30, batch=16, lr=0.3, early_stopping=2, seed=3)
    result = train(DROPPING, digits, recipe)
    held = result.history.column("val_loss")
    assert result.ended == "stopped early"
    assert len(held) == result.best + 2 < 30
    assert held[result.best - 1] == min(held)
    short = recipe.model_copy(update={"epochs": result.best, "early_stopping": None})
    again = train(DROPPING, digits, short)
    for name, array in again.weights.items():
        np.testing.assert_array_equal(result.weights[name], array)


def test_a_run_goes_on_exactly(digits, tmp_path):
    """Dropout, momentum, schedule, best weights: interrupted within an epoch, and taken up after the last whole one."""
    recipe = Recipe(epochs=6, batch=16, schedule="cosine", weight_decay=0.01, early_stopping=5)
    whole = train(DROPPING, digits, recipe)
    path = tmp_path / "run.safetensors"
    first = train(DROPPING, digits, recipe, checkpoint=path, observer=Stop(3 * 6 + 2))
    assert first.ended == "interrupted"
    assert len(first.history.rows) == 3
    second = train(DROPPING, digits, recipe, checkpoint=path, resume=True)
    for row, other in zip(whole.history.rows, second.history.rows, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
    assert second.best == whole.best
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(second.weights[name], array)
    again = train(DROPPING, digits, recipe, checkpoint=path, resume=True)
    assert again.history == second.history


def test_what_is_interrupted_keeps_the_best(digits):
    recipe = Recipe(epochs=30, batch=16, lr=0.3, seed=3)
    result = train(DROPPING, digits, recipe, observer=Stop(5 * 6))
    held = result.history.column("val_loss")
    assert result.ended == "interrupted"
    assert held.index(min(held)) + 1 == result.best < len(held)
    short = train(DROPPING, digits, recipe.model_copy(update={"epochs": result.best}))
    np.testing.assert_array_equal(result.weights["dense2.weight"], short.weights["dense2.weight"])


def test_a_checkpoint_of_another_run_is_refused(digits, tmp_path):
    path, recipe = tmp_path / "run.safetensors", Recipe(epochs=1, batch=16)
    train(DROPPING, digits, recipe, checkpoint=path)
    longer = train(
        DROPPING, digits, recipe.model_copy(update={"epochs": 2}), checkpoint=path, resume=True
    )
    assert len(longer.history.rows) == 2
    for graph, data, other, words in (
        (DROPPING, digits, recipe.model_copy(update={"lr": 0.1}), "another `lr`"),
        (DROPPING, digits._replace(train=digits.val), recipe, "another examples"),
        (graph_of("input 1 8 8 -> dense 10"), digits, recipe, "another network"),
    ):
        with pytest.raises(SpecError, match=words):
            train(graph, data, other, checkpoint=path, resume=True)
    (tmp_path / "no").write_bytes(b"text")
    for name, words in (("no", "no checkpoint of a run"), ("none", "no such file")):
        with pytest.raises(SpecError, match=words):
            train(DROPPING, digits, recipe, checkpoint=tmp_path / name, resume=True)


def test_a_run_that_diverges_ends():
    data = draw(PLAIN, lambda draws, count: draws.normal(size=(count, 3)))
    recipe = Recipe(epochs=50, optimizer="sgd", lr=1e30)
    result = train(PLAIN, data, recipe)
    assert result.ended == "diverged"
    assert len(result.history.rows) < 50
    assert json.loads(result.history.to_json())[-1]["loss"] is None


def test_every_example_comes_once_an_epoch():
    order = Order(10, 3, seed=1)
    assert [len(batch) for batch in order.batches(0)] == [3, 3, 3, 1]
    for number in range(2):
        assert sorted(np.concatenate(order.batches(number))) == list(range(10))
    assert list(order.epoch(0)) != list(order.epoch(1))
    assert order._replace(least=2).steps == 3


def test_several_inputs_and_tokens():
    graph = graph_of(
        "@left = input 4\n@words = input 3 dtype=int\n"
        "concat { @left | @words -> embedding 9 5 -> flatten } -> dense 3"
    )
    draws = np.random.default_rng(0)
    x = {"left": draws.normal(size=(12, 4)), "words": draws.integers(0, 9, (12, 3))}
    result = train(graph, Data("two", Part(x, draws.integers(0, 3, 12))), Recipe(epochs=3, lr=0.1))
    assert losses(result)[-1] < losses(result)[0]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_a_step_uses_the_memory_of_the_one_before(monkeypatch):
    """And what is free goes back to the system at the end."""
    import resource

    from netspec.backends.torch import memory

    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)

    def mapped():
        """Pages that the system gave while tensors of 64 MiB came and went."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            torch.ones(1 << 24)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    usual = mapped()
    with memory.kept():
        mapped()
        assert mapped() < usual / 10
        most = resident()
    assert resident() < most - (1 << 25)
