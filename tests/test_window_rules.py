"""What windows and orders of axes refuse, with what reason, and the freedom that they leave the caller."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import graph_of

import netspec
from netspec.backend import load_backend
from netspec.diagnostics import SpecError
from netspec.weights import random_weights


@pytest.mark.parametrize(
    ("text", "id", "message"),
    [
        ("input 3 8 8 -> conv 4 3 padding=causal", "wrong-kind", "is for sequences"),
        (
            "input 4 5 5 -> conv_transpose 4 3 2 same output_padding=1",
            "bad-argument",
            "leaves `output_padding` no choice",
        ),
        ("input 6 -> gn 6", "nothing-to-normalise", "each of 6 groups"),
        ("input 5 3 -> lstm 2 layers=2000", "bad-argument", "at most 1000"),
        ("input 5 3 -> lstm 2 last=stat", "bad-argument", "or `state`, got"),
        ("input 5 3 -> gru 2 { @ | @ }", "wrong-kind", "takes a vector as its state, not a seq"),
        ("input 5 3 -> gru 2 { take 0 | take 0 }", "wrong-kind", "takes a sequence, not a vector"),
        (
            "input 5 3 -> lstm 4 layers=2 bidirectional=true { @ | take 0 }",
            "unequal-branches",
            r"is 32 numbers \(2 layers x 2 directions x 4 units, of h and c\), not 3 ",
        ),
        ("input 5 3 -> gru 3 { @ | take 0 | take 0 }", "wrong-branches", "got 3 branches"),
        ("input 3 -> dense 2 init=constant(1e39)", "bad-initializer", "beyond float32"),
        ("input 3 -> const [1, -1e39]", "bad-argument", "beyond float32"),
        (
            "input 3 3 3 -> conv 4 7 padding=3 mode=reflect",
            "padding-too-large",
            "finds 2 positions",
        ),
        ("input 3 4 -> conv 4 9 padding=4 mode=circular", "padding-too-large", "finds 3 positions"),
        ("input 9 4 -> pool 2 padding=2", "padding-too-large", "padding alone"),
        ("input 9 4 -> conv 4 3 padding=(1, 2, 3)", "wrong-rank", "1 spatial axis"),
        ("input c=1 w=5", "unknown-axis", "no tensor has the axes `c w`"),
        ("input 3 t=5", "repeated-argument", "with and without names"),
        ('input 5 3 -> permute "c h"', "unknown-axis", "`t c` once"),
        ('input 5 3 -> permute "c t" -> conv 4 3', "wrong-kind", "takes a sequence"),
        ("input 5 3 -> adaptive_pool 2x2", "wrong-rank", "1 spatial axis"),
    ],
)
def test_mistakes_are_refused_with_the_reason(text, id, message):  # noqa: A002
    with pytest.raises(SpecError, match=message) as caught:
        graph_of(text)
    assert [each.id for each in caught.value.diagnostics] == [id]


@pytest.mark.parametrize("line", ["pool 2 dilation=2", "conv_transpose 4 3 dilation=2"])
def test_what_keras_cannot_dilate_it_says(line):
    with pytest.raises(SpecError, match="dilation"):
        netspec.compile(graph_of(f"input 9 4 -> {line}"), target="keras")


def test_the_caller_chooses_the_order_of_the_axes():
    """An image whose caller holds the channels last is the same image."""
    usual = graph_of("input 3 4 5 -> conv 2 3 -> gap")
    turned = graph_of("input h=4 w=5 c=3 -> conv 2 3 -> gap")
    weights = random_weights(usual)
    image = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    for target in ("reference", "torch", "onnx"):
        found = [
            load_backend(target).open_session(graph, weights, "float64").predict({"input": x})
            for graph, x in ((usual, image), (turned, image.transpose(0, 2, 3, 1)))
        ]
        np.testing.assert_allclose(found[0]["output"], found[1]["output"], rtol=1e-12)


def test_a_size_from_the_command_line_keeps_the_order_of_the_spec():
    graph = netspec.parse("input c=1 t=9 -> conv 4 3", input_shape=(2, 16))
    assert str(graph.nodes[0].shape) == "2 x 16"
    assert str(graph.nodes[-1].shape) == "14 x 4"


def test_time_may_be_known_at_run_time_only():
    graph = graph_of("input c=2 t=?T -> conv 4 3 padding=causal -> bn -> relu -> gmp -> dense 3")
    weights = random_weights(graph)
    sessions = [
        load_backend(target).open_session(graph, weights, "float64")
        for target in ("reference", "torch", "onnx")
    ]
    for steps in (5, 8):
        feeds = {"input": np.random.default_rng(steps).normal(size=(2, 2, steps))}
        wanted, *found = (session.predict(feeds)["output"] for session in sessions)
        for each in found:
            np.testing.assert_allclose(each, wanted, rtol=1e-10, atol=1e-10)
