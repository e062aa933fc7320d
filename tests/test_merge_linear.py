"""Two linear layers in a row as one: the same function, never more work, and why a pair stays."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import graph_of
from test_fold_batchnorm import assert_same_function, doubles, kinds

from netspec.passes import Model, run_passes
from netspec.passes.merge_linear import merge_linear
from netspec.weights import random_weights

MERGED = {
    "dense after dense": "input 9 -> dense 4 -> dense 7",
    "dense after dense, one without bias": "input 5 9 -> dense 4 bias=false -> dense 3",
    "no bias at all": "input 9 -> dense 4 bias=false -> dense 3 bias=false",
    "three in a row": "input 9 -> dense 5 -> dense 4 -> dense 3",
    "1 x 1 after any": "input 4 7 6 -> conv 6 3 padding=1 stride=2 -> conv 3 1",
    "1 x 1 before one without padding": "input 4 7 6 -> conv 6 1 -> conv 3 3",
    "1 x 1 before a padded one, without bias": "input 4 7 6 -> conv 6 1 bias=false -> conv 3 3 padding=1",
    "1 x 1 before another padding": "input 4 7 6 -> conv 6 1 -> conv 3 3 padding=1 mode=reflect",
    "groups in both": "input 4 7 6 -> conv 4 3 groups=2 -> conv 4 1 groups=2",
    "groups in one": "input 4 5 5 -> conv 6 1 groups=2 -> conv 2 1",
    "volumes": "input 3 4 5 4 -> conv 4 2 -> conv 2 1",
    "sequences, dense behind": "input 7 4 -> conv 5 3 padding=causal -> dense 3",
    "sequences, dense in front": "input 7 6 -> dense 4 bias=false -> conv 3 3 padding=1",
    "transposed in front": "input 4 5 5 -> conv_transpose 6 3 stride=2 groups=2 -> conv 2 1 groups=2",
    "transposed behind": "input 6 5 5 -> conv 4 1 bias=false -> conv_transpose 2 2 stride=2",
    "an embedding": "input 5 dtype=int -> embed 11 6 -> dense 4",
    "a bilinear form": "input 6\n@a = @\nrelu -> bilinear 5 { @ | @a } -> dense 3",
}


@pytest.mark.parametrize("text", MERGED.values(), ids=MERGED)
def test_one_layer_does_the_work_of_two(text):
    graph = graph_of(text)
    model = Model(graph, doubles(graph))
    merged = run_passes(model, [merge_linear])
    assert len(merged.graph.nodes) == 2 + text.count("relu")
    assert_same_function(model, merged, 1e-13)
    structure = merge_linear(Model(graph))
    assert structure.graph == merged.graph
    assert structure.weights is None
    again = merge_linear(merged)
    assert again.graph is merged.graph


LEFT = {
    "a wide one behind a narrow one": (
        "input 9 -> dense 2 -> dense 9",
        "one layer for `dense1` and `dense2` would have 81 multiply-adds, not 36",
    ),
    "a bottleneck": (
        "input 8 7 6 -> conv 2 1 bias=false -> conv 8 3 padding=1",
        "one layer for `conv1` and `conv2` would have 24,192 multiply-adds, not 6,720",
    ),
    "a factorized embedding": (
        "input 5 dtype=int -> embed 50 2 -> dense 8",
        "one layer for `embed1` and `dense1` would have 400 weights, not 124",
    ),
    "a bias before zeros": (
        "input 4 7 6 -> conv 6 1 -> conv 3 3 padding=1",
        "`conv2` pads with zeros, and `conv1` adds a bias",
    ),
    "two readers": ("input 9 -> dense 4 -> add { dense 4 | @ }", "`add1` reads `dense1` too"),
    "a result": (
        "input 9 -> dense 4\n@y = @\ndense 3\nout y=@y, z=@",
        "`dense1` is a result of the network",
    ),
    "a shared layer": (
        "share d = dense 4\ninput 4 -> d -> relu -> d -> dense 3",
        "`d2` shares its weights with `d`",
    ),
}


@pytest.mark.parametrize(("text", "reason"), LEFT.values(), ids=LEFT)
def test_a_pair_stays(text, reason):
    graph = graph_of(text)
    left = merge_linear(Model(graph, doubles(graph)))
    assert left.graph is graph
    assert f"stays: {reason}" in [note.text for note in left.notes]
    assert merge_linear(Model(graph)).graph is graph


def test_a_bias_of_zeros_passes_where_zeros_are_padded():
    graph = graph_of("input 4 7 6 -> conv 6 1 -> conv 3 3 padding=1")
    model = Model(graph, doubles(graph))
    model.weights["conv1.bias"][:] = 0
    merged = merge_linear(model)
    assert kinds(merged.graph) == ["input", "conv"]
    assert_same_function(model, merged, 1e-13)


def test_numbers_that_are_not_finite_stay():
    graph = graph_of("input 4 -> dense 4 -> dense 2")
    weights = random_weights(graph)
    weights["dense1.weight"][0, 0] = np.inf
    left = merge_linear(Model(graph, weights))
    assert left.graph is graph
    assert left.notes[0].text == "stays: would get weights that are not finite"
