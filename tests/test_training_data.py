"""What training refuses: recipes that cannot be, data that do not fit, files that hold none; and what is bundled."""

from __future__ import annotations

import re

import numpy as np
import pytest
from graphs import graph_of
from test_training import PLAIN, draw, labels

from netspec.diagnostics import SpecError
from netspec.render import render
from netspec.training import Data, Part, Recipe, load_data, train
from netspec.training.recipe import declare

BAD_RECIPES = [
    ({"batch": 0}, "`batch`: input should be greater than or equal to 1"),
    ({"lr": -1, "epochs": 0}, "`lr`"),
    ({"momentum": 0.9}, "momentum goes with the optimizer sgd"),
    ({"optimizer": "sgd", "nesterov": True}, "nesterov needs a momentum"),
    ({"optimizer": "adamw", "decay": "l2"}, "for l2 take adam"),
    ({"decay": "l2"}, "give weight_decay, too"),
    ({"warmup": 99}, "a warmup of 99 epochs is longer"),
    ({"optimizer": "rmsprop"}, "`optimizer`: input should be 'adam', 'adamw' or 'sgd'"),
    ({"colour": 1}, "`colour`: extra inputs"),
]


@pytest.mark.parametrize(("fields", "words"), BAD_RECIPES)
def test_recipes_that_cannot_be(fields, words):
    with pytest.raises(SpecError) as caught:
        declare(**fields)
    assert words in str(caught.value)


IMAGES = np.zeros((8, 1, 8, 8), "f")

TEN = np.arange(8)

BAD_DATA = [
    ("input 1 28 28 -> dense 10", IMAGES, TEN, "`--input 1x8x8` gives the network this size"),
    ("input 3 8 8 -> dense 10", np.zeros((8, 8, 8, 3)), TEN, r"`x.transpose\(0, 3, 1, 2\)`"),
    ("input 12 -> dense 10", np.zeros((8, 3, 4)), TEN, r"`x.reshape\(len\(x\), 12\)`"),
    ("input 1 8 8 -> dense 9", IMAGES, TEN + 2, "labels .* from 2 to 9, .* 9 classes 0 to 8"),
    ("input 1 8 8 -> dense 10", IMAGES, np.eye(8, 10, dtype=int), r"`y.argmax\(-1\)`"),
    (
        "input 1 8 8 -> dense 10",
        IMAGES,
        TEN.astype(str),
        "number the classes from 0",
    ),
    ("input 1 8 8 -> dense 10", IMAGES * np.nan, TEN, "not finite"),
    ("input 1 8 8 -> dense 10", IMAGES.astype(str), TEN, "not numbers"),
    ("input 1 8 8 -> dense 1 -> sigmoid", IMAGES, TEN, "bce takes targets from 0 to 1"),
    ("input 1 8 8 -> dense 2", IMAGES, TEN * 0.5, "a target .* is a single number"),
    ("input 1 8 8 -> relu", IMAGES, IMAGES, "has no weights to train"),
    ("input 1 8 8 -> dense 2 -> bn", IMAGES[:1], TEN[:1], "learns nothing from one example"),
    ("input 64 -> dense 10", IMAGES, TEN, None),
    ("input 1 8 8 -> dense 10", IMAGES[:, 0], TEN, None),
    (
        "input 4 dtype=int -> embedding 5 3 -> flatten -> dense 10",
        np.full((8, 4), 7),
        TEN,
        "0 to 4",
    ),
    (
        "input 4 dtype=int -> embedding 5 3 -> flatten -> dense 10",
        np.ones((8, 4)),
        TEN,
        "whole numbers",
    ),
    (
        "input 8\nout a=(@ -> dense 2), b=(@ -> dense 3)",
        np.zeros((8, 8)),
        TEN,
        "trains one result",
    ),
]


@pytest.mark.parametrize(("text", "x", "y", "words"), BAD_DATA)
def test_data_that_do_not_fit(text, x, y, words):
    graph, data = graph_of(text), Data("given", Part({"x": x}, y))
    if words is None:
        train(graph, data, Recipe(epochs=1))
        return
    with pytest.raises(SpecError) as caught:
        train(graph, data, Recipe(epochs=1))
    assert re.search(words, render(caught.value.diagnostics))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"early_stopping": 3}, "no-validation"),
        ({"loss": "mse", "class_weights": "balanced"}, "go with cross-entropy, not with mse"),
        ({"class_weights": (1.0, 2.0)}, "2 class weights for 3 classes"),
        ({"val_split": 0.01}, "of 21 examples is none"),
    ],
)
def test_recipes_that_do_not_fit_the_data(fields, words):
    targets = (lambda draws, count: draws.normal(size=(count, 3))) if "loss" in fields else labels
    with pytest.raises(SpecError, match=words):
        train(PLAIN, draw(PLAIN, targets), declare(**fields))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": TEN}, "holds `x`, but no `y`"),
        ({"y_train": TEN}, "but no `x_train`"),
        ({"x_test": TEN, "y_test": TEN}, "nothing to learn from: x_test, y_test"),
        ({"x": TEN, "y": TEN[:3]}, "`x` has 8 examples and `y` 3"),
        ({"x": TEN, "y": TEN, "x_train": TEN, "y_train": TEN}, "which of them"),
        ({"x": np.array(1), "y": TEN}, "single number"),
    ],
)
def test_files_that_hold_no_data(arrays, words, tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, **arrays)
    with pytest.raises(SpecError, match=words):
        load_data(path)


def test_a_file_holds_its_parts(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, x_train=TEN, y_train=TEN, x_test=TEN[:2], y_test=TEN[:2])
    data = load_data(path)
    assert (len(data.train.y), data.val, len(data.test.y)) == (8, None, 2)
    with pytest.raises(SpecError) as caught:
        load_data("digit")
    assert caught.value.diagnostics[0].help == "did you mean `digits`?"


@pytest.mark.parametrize("name", ["digits", "breast-cancer", "wine", "iris", "diabetes"])
def test_bundled_data(name):
    data = load_data(name)
    x, y = data.train.x["x"], data.train.y
    assert len(data.test.y) == pytest.approx(len(y) / 3, abs=1)
    assert x.dtype == np.float32
    assert np.abs(x).max() < 15
    assert (y.dtype.kind == "f") == (name == "diabetes")
