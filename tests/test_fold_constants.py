"""What depends on no input is computed once, exactly, where that makes no network much larger."""

from __future__ import annotations

import pytest
from graphs import graph_of
from optimized import kinds, optimized

import netspec
from netspec.passes.fold_constants import SPARE

PASSES = ("drop-identity", "fold-constants")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('input 4 8; add { @ | param 8 4 init=normal(1) -> permute "c t" -> reshape 4 8 }', ["add"]),
        ("input 4 8; add { @ | const [[1], [-2], [3], [4]] -> dense 8 -> relu }", ["add"]),
        ("input 3 8; mul { @ | add { param 8 init=ones() | const [1, 2, 3, 4, 5, 6, 7, 8] } }", ["mul"]),
        ("input 5; add { @ | param 5 init=ones() -> dropout } -> relu", ["add", "relu"]),
        ("input 5; param 5 init=normal(1) -> exp", []),
        ("input ?T 4; add { gap -> dense 4 | param 4 init=normal(1) -> exp }", ["gap", "dense", "add"]),
        (
            "input 3 8 8; add { gap -> dense 4 | window_bias 2 2 -> reduce_mean t n -> reshape 4 }",
            ["gap", "dense", "add"],
        ),
        ("input 9 dtype=int; embed 10 4 -> add { @ | param 9 4 init=normal(1) -> times 2 }", ["embed", "add"]),
        ('input 3 4; permute "c t" -> add { @ | param 3 4 init=ones() -> permute "c t" -> relu }', ["permute", "add"]),
    ],
)  # fmt: skip
def test_what_depends_on_no_input_is_one_tensor(text, left):
    model = optimized(text, PASSES)
    assert [kind for kind in kinds(model) if kind not in ("input", "param")] == left
    assert kinds(model).count("param") == 1


def test_a_tensor_keeps_the_name_of_what_it_is_the_result_of():
    model = optimized(
        "input 4 8; add { @ | pos: param 4 8 init=normal(1) -> scaled: times 3 }", PASSES
    )
    assert model.weights.keys() == {"scaled"}
    assert {note.node: note.text for note in model.notes} == {
        "pos": "gone: computed",
        "scaled": "computed: 4 x 8",
    }


def test_what_another_reader_needs_stays_beside_it():
    model = optimized("input 4; @p = param 4 init=normal(1); add { @ | @p | @p -> relu }", PASSES)
    assert kinds(model) == ["input", "param", "param", "add"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"input 2; param {SPARE + 1} 1 init=ones() -> dense 3 -> gap", None),
        (f"input 2; add {{ dense {SPARE + 8} | const [[2]] -> dense {SPARE + 8} bias=false -> take 0 }}", None),
        (f"input 2; param 1 1 -> upsample {SPARE + 2} -> relu", f"{SPARE + 2} x 1 is more than it is computed from"),
        ("input 4; share f = add { @ | param 4 -> exp }; f -> f", "another use of its instance has one of its own"),
    ],
)  # fmt: skip
def test_what_would_cost_more_stays_with_a_reason(text, reason):
    graph = graph_of(text)
    notes = netspec.optimize(graph, None, PASSES).notes
    assert {note.text for note in notes if not note.changed} == (
        {f"stays: {reason}"} if reason else set()
    )


def test_the_numbers_of_a_spec_need_weights_to_be_kept_in():
    graph = graph_of("input 3; add { @ | ramp: const [1, 2, 3] -> squared: square }")
    (note,) = netspec.optimize(graph, None, PASSES).notes
    assert note.text.startswith("stays: it is made of the spec's numbers alone")
    assert netspec.optimize(graph, {}, PASSES).weights["squared"].tolist() == [[1, 4, 9]]


def test_what_draws_numbers_or_reads_an_input_is_left_alone():
    graph = graph_of("input 4; add { @ -> relu | param 4 -> dropout always=true } -> const [1, 2]")
    assert netspec.optimize(graph, None, PASSES)[::2] == (graph, ())
