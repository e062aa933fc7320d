"""The table of docs/optimizer.md, line by line, and random networks: what is left of them; they compute the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from graphs import draw_inputs, graph_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optimized import close, doubles, maps_of, predict

import netspec
from netspec.backend import load_backend
from netspec.builder import GraphBuilder
from netspec.ops import find
from netspec.passes import OPTIMIZE
from netspec.weights import random_weights

PAGE = Path(__file__).parent.parent / "docs" / "optimizer.md"
ROW = re.compile(r"^\| `(.+)` \| (\d) \| (\d) \| (\d) \|$", re.MULTILINE)
PATTERNS = [
    (text.replace(r"\|", "|"), int(maps), int(left), int(left_if_positive))
    for text, maps, left, left_if_positive in ROW.findall(PAGE.read_text())
]
STEPS = ("drop-identity", "affine-backward", "affine-forward", "scale-forward", "merge-linear")


@pytest.fixture(scope="module")
def all_patterns():
    """One network of all patterns, each in a scope of its own with a result of its own."""
    scopes = [f"@x -> p{i}: {{ {row[0]} }}\n@p{i} = @" for i, row in enumerate(PATTERNS)]
    results = ", ".join(f"p{i}=@p{i}" for i in range(len(PATTERNS)))
    return graph_of("\n".join(["input 6 9 9\n@x = @", *scopes, f"out {results}"]))


def drawn(graph, *, positive):
    """Fresh float32 weights, with statistics as the measurements of existing optimizers draw them."""
    weights, draws = netspec.init_weights(graph), np.random.default_rng(1)
    for node in maps_of(graph):
        count = node.shape.axis("c")
        flipped = draws.random(count) < 0.3
        flipped[0] = True
        gamma = draws.uniform(0.3, 1.5, count)
        found = {
            "weight": gamma if positive else np.where(flipped, -gamma, gamma),
            "bias": draws.normal(0, 0.5, count),
            "running_mean": draws.normal(0, 0.5, count),
            "running_var": draws.uniform(0.2, 2, count),
        }
        weights |= {f"{node.name}.{k}": array.astype(np.float32) for k, array in found.items()}
    return weights


@pytest.mark.parametrize("positive", [False, True], ids=["both signs", "positive"])
def test_the_page_tells_what_is_left_of_each_pattern(all_patterns, positive):
    graph, weights = all_patterns, drawn(all_patterns, positive=positive)
    assert len(PATTERNS) == 37
    feeds = draw_inputs(graph, {}, batch=16)
    wanted = predict(graph, doubles(weights), feeds)
    model = netspec.optimize(graph, weights)
    left = [node.name.split(".")[0] for node in maps_of(model.graph)]
    for number, (_, maps, some, some_if_positive) in enumerate(PATTERNS):
        expected = some_if_positive if positive else some
        assert left.count(f"p{number}") == expected, PATTERNS[number]
        assert sum(n.name.startswith(f"p{number}.") for n in maps_of(graph)) == maps
    assert len(PATTERNS) - len(set(left)) == (29 if positive else 26)

    exact = netspec.optimize(graph, doubles(weights))
    assert exact.graph == model.graph
    close(predict(exact.graph, exact.weights, feeds), wanted)
    again = netspec.optimize(model.graph, model.weights)
    assert again.graph == model.graph
    assert not any(note.changed for note in again.notes)

    reduced = netspec.optimize(graph, doubles(weights), (*OPTIMIZE, "scale-forward"))
    shifts = [node.name for node in reduced.graph.nodes if node.op.kind == "shift"]
    assert [PATTERNS[int(name.split(".")[0][1:])][0] for name in shifts] == [
        "conv 8 3 -> relu -> bn -> conv 4 3 padding=1",
        "bn -> conv 8 3 padding=1",
    ]
    close(predict(reduced.graph, reduced.weights, feeds), wanted)

    single = {name: array.astype(np.float32) for name, array in feeds.items()}
    before, after = (
        load_backend("reference").open_session(g, w, "float32").predict(single)
        for g, w in ((graph, weights), (model.graph, model.weights))
    )
    truth = predict(graph, doubles(weights), doubles(single))
    for name in truth:
        errors = [np.sqrt(np.square(found[name] - truth[name]).mean()) for found in (before, after)]
        assert errors[1] <= 2 * errors[0], PATTERNS[int(name[1:])]

    fused, folded = (
        onnxruntime.InferenceSession(
            netspec.compile(g, target="onnx", weights=w).content,
            providers=["CPUExecutionProvider"],
        ).run(None, single)
        for g, w in ((graph, weights), (model.graph, model.weights))
    )
    names = [output.name for output in graph.outputs]
    close(dict(zip(names, folded, strict=True)), dict(zip(names, fused, strict=True)), 1e-5)


@st.composite
def networks(draw):
    """Small networks rich in maps, pools, dropout and branches, with results in the middle."""
    builder = GraphBuilder("random")

    def add(kind, sources, **fields):
        op = find(kind).model_validate(fields)
        return builder.add(op, sources)

    values = [add("input", [], sizes=(4, 5, 5))]
    same = {"kernel": 3, "stride": 1, "padding": 1}
    choices = (
        ("bn", {}),
        ("bn", {"affine": False}),
        ("affine", {}),
        ("scale", {}),
        ("relu", {}),
        ("dropout", {}),
        ("pool", same),
        ("avgpool", {**same, "count_padding": False}),
        ("avgpool", same),
        ("conv", {"filters": 4, **same, "groups": 2}),
        ("conv", {"filters": 4, "kernel": 1, "bias": False}),
        ("conv_transpose", {"filters": 4, **same}),
        ("shuffle", {"groups": 2}),
        ("add", {}),
        ("sub", {}),
        ("max", {}),
        ("concat", {}),
    )
    for _ in range(draw(st.integers(3, 14))):
        kind, fields = draw(st.sampled_from(choices))
        near = st.integers(max(0, len(values) - 3), len(values) - 1)
        sources = [
            values[draw(near)] for _ in range(2 if kind in ("add", "sub", "max", "concat") else 1)
        ]
        value = add(kind, sources, **fields)
        if kind == "concat":
            start = draw(st.integers(0, 4))
            value = add("slice", [value], axis="c", start=start, stop=start + 4)
        values.append(value)
    if draw(st.booleans()):
        values.append(add("dense", [add("flatten", values[-1:])], units=3))
    middle = draw(st.lists(st.sampled_from(values[1:-1]), max_size=2, unique=True))
    return builder.finish([(f"y{i}", value) for i, value in enumerate([*middle, values[-1]])])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.integers(0, 1000))
def test_random_networks_keep_their_function(graph, seed):
    weights = doubles(random_weights(graph, seed))
    model = netspec.optimize(graph, weights, STEPS)
    feeds = draw_inputs(graph, {}, batch=2)
    close(predict(model.graph, model.weights, feeds), predict(graph, weights, feeds), 1e-10)
    assert len(maps_of(model.graph)) <= len(maps_of(graph))
    again = netspec.optimize(model.graph, model.weights, STEPS)
    assert again.graph == model.graph
    structure = netspec.optimize(graph, passes=STEPS).graph
    assert len(maps_of(structure)) >= len(maps_of(model.graph))
