"""Which tensor of a file is which of a network: what is matched, and what is refused with all its reasons."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import chain

from netspec.checkpoints.matching import match, match_names, table
from netspec.checkpoints.measures import average, differences, differences_table, inspection
from netspec.checkpoints.tensors import Checkpoint, Place, Tensor
from netspec.diagnostics import SpecError
from netspec.weights import random_weights

GRAPH = chain("input 3 8 8", "conv 4 3", "bn", "relu", "pool 2", "dense 5")
WEIGHTS = random_weights(GRAPH)


def file_of(weights, path="a.pt", **more):
    tensors = tuple(Tensor(name, array) for name, array in weights.items())
    return Checkpoint(path, "torch", "torch", tensors, **more)


def mistakes(call):
    with pytest.raises(SpecError) as caught:
        call()
    return [(each.id, each.message, each.help) for each in caught.value.diagnostics]


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module.", "net.model."])
def test_names_match_behind_what_wrappers_put_in_front(prefix):
    file = file_of({prefix + name: array for name, array in reversed(WEIGHTS.items())})
    found = match_names(file, GRAPH)
    assert list(found.weights) == list(WEIGHTS)
    assert all(found.weights[name] is array for name, array in WEIGHTS.items())
    assert {each.by for each in found.matches} == {f"name without `{prefix}`" if prefix else "name"}


def test_a_network_of_one_block_keeps_its_own_prefix():
    places = [Place("body.weight", (2,), ("body.weight",))]
    (found,) = match([Tensor("body.weight", np.ones(2))], places, "a.pt")
    assert found.by == "name"


def test_all_that_does_not_fit_is_one_error():
    bad = {name: array for name, array in WEIGHTS.items() if name != "bn1.running_mean"}
    bad["bn1.moving_mean"] = WEIGHTS["bn1.running_mean"]
    bad["dense1.weight"] = WEIGHTS["dense1.weight"].T
    bad["dense1.bias"] = np.zeros(5, np.int64)
    assert mistakes(lambda: match_names(file_of(bad), GRAPH)) == [
        ("missing-weight", "a.pt lacks `bn1.running_mean` (4)", "it holds `bn1.moving_mean`"),
        (
            "misshapen-weight",
            "`dense1.weight` is 36 x 5 in a.pt, not 5 x 36",
            "the same sizes in another order: is the file of another framework?",
        ),
        ("non-float-weight", "`dense1.bias` holds int64 in a.pt, not floats", None),
        (
            "extra-weight",
            "a.pt holds `bn1.moving_mean`, which the network does not have",
            "did you mean `bn1.running_mean`?",
        ),
    ]


def test_what_is_ignored_is_left_out():
    more = file_of({**WEIGHTS, "head.weight": np.ones(3), "head.bias": np.ones(3)})
    assert match_names(more, GRAPH, ignore=("head.*",)).weights.keys() == WEIGHTS.keys()


def test_other_names_match_by_order():
    file = file_of({f"t{number}": array for number, array in enumerate(WEIGHTS.values())})
    assert "`--by-order`" in str(mistakes(lambda: match_names(file, GRAPH))[0][2])
    found = match_names(file, GRAPH, by_order=True)
    assert all(found.weights[name] is array for name, array in WEIGHTS.items())
    assert table(found.matches).splitlines()[:2] == [
        "tensor  shape          weight            by",
        "t0      4 x 3 x 3 x 3  conv1.weight      order",
    ]


def test_shapes_that_are_all_different_need_no_order():
    graph = chain("input 7", "dense 5", "dense 4")
    weights = random_weights(graph)
    for ordered in (True, False):
        file = file_of(
            {f"t{i}": weights[n] for i, n in enumerate(sorted(weights))}, ordered=ordered
        )
        found = match_names(file, graph, by_order=True)
        assert all(found.weights[name] is array for name, array in weights.items())
        assert {each.by for each in found.matches} == {"shape"}


def test_an_order_that_does_not_decide_is_refused():
    moved = dict(sorted(WEIGHTS.items()))
    cure = "say which is which by their names: rename them, or the network's labels"
    names = "`bn1.bias`, `bn1.running_mean`, `bn1.running_var`, `bn1.weight`, `conv1.bias`"
    message = f"{names} of a.pt are all 4, and its order is not the network's"
    assert mistakes(lambda: match_names(file_of(moved), GRAPH, by_order=True)) == [
        ("ambiguous-order", message, cure)
    ]
    unordered = file_of(WEIGHTS, ordered=False)
    assert (
        "it keeps no order" in mistakes(lambda: match_names(unordered, GRAPH, by_order=True))[0][1]
    )


def test_names_that_contradict_the_order_are_heard():
    names = list(WEIGHTS)
    i, j = names.index("bn1.running_mean"), names.index("bn1.running_var")
    names[i], names[j] = names[j], names[i]
    file = file_of(dict(zip((f"x.{name}" for name in names), WEIGHTS.values(), strict=True)))
    found = mistakes(lambda: match_names(file, GRAPH, by_order=True))
    assert [(id_, message) for id_, message, _ in found] == [
        ("ambiguous-order", "by order `x.bn1.running_var` would become `bn1.running_mean`"),
        ("ambiguous-order", "by order `x.bn1.running_mean` would become `bn1.running_var`"),
    ]


def test_by_order_counts_are_compared_by_shape():
    fewer = {name: array for name, array in WEIGHTS.items() if name != "dense1.bias"}
    fewer["more"] = np.ones((9, 9), np.float32)
    found = mistakes(lambda: match_names(file_of(fewer), GRAPH, by_order=True))
    assert [(id_, message) for id_, message, _ in found] == [
        ("missing-weight", "the network has 1 of 5 (`dense1.bias`), a.pt 0"),
        ("extra-weight", "the network has 0 of 9 x 9, a.pt 1 (`more`)"),
    ]


def test_groups_are_ordered_for_themselves():
    places = [Place(f"{kind}{i}", (2,), (f"{kind}{i}",), kind) for i in (1, 2) for kind in "ab"]
    tensors = [Tensor(f"{kind}_{i}", np.full(2, 1.0 * i), kind) for kind in "ba" for i in (1, 2)]
    found = match(tensors, places, "a.h5", by_order=True)
    assert [(each.place.name, each.tensor.name) for each in found] == [
        ("a1", "a_1"),
        ("b1", "b_1"),
        ("a2", "a_2"),
        ("b2", "b_2"),
    ]


# ---- measures ----


def test_an_inspection_counts_and_measures():
    values = {"a": np.array([1, np.nan, 3, np.inf], np.float32), "b": np.zeros((0, 2), np.float32)}
    found = inspection(file_of(values))
    assert found["total"] == {"tensors": 2, "numbers": 4, "bytes": 16, "nonfinite": 2}
    figures = {"mean": 2.0, "std": 1.0, "min": 1.0, "max": 3.0, "nonfinite": 2}
    assert figures.items() <= found["tensors"][0].items()
    assert found["tensors"][1]["mean"] is None
    assert found["sha256"] == inspection(file_of(dict(reversed(values.items()))))["sha256"]
    values["a"] = -values["a"]
    assert found["sha256"] != inspection(file_of(values))["sha256"]


def test_differences_say_how_far_and_why_not():
    first = {
        "same": np.array([1, np.nan, np.inf]),
        "far": np.array([2.0, -4.0]),
        "nan": np.zeros(2),
        "shape": np.zeros((2, 3)),
        "gone": np.zeros(1),
    }
    second = {
        "same": first["same"].copy(),
        "far": np.array([2.0, -4.5]),
        "nan": np.array([0, np.nan]),
        "shape": np.zeros((3, 2)),
        "new": np.zeros(1),
    }
    found = list(differences(first, second))
    assert [tuple(each) for each in found] == [
        ("same", 0.0, 0.0, None),
        ("far", 0.5, 0.125, None),
        ("nan", None, None, "not finite on one side"),
        ("shape", None, None, "2 x 3 against 3 x 2"),
        ("gone", None, None, "only in the first"),
        ("new", None, None, "only in the second"),
    ]
    lines = differences_table(found, 0.1).splitlines()
    assert [line.split()[0] for line in lines[1:6]] == ["nan", "shape", "gone", "new", "far"]
    assert lines[-1] == "1 of 6 tensors are equal within 0.1"


def test_an_average_is_taken_in_float64_and_kept_in_the_files_type():
    files = [file_of({"a": np.full(3, 16_777_216 + i, np.float32)}, f"{i}.pt") for i in (0, 2, 4)]
    (found,) = average(files).items()
    assert found[0] == "a"
    assert found[1].dtype == np.float32
    np.testing.assert_array_equal(found[1], np.full(3, 16_777_218, np.float32))
    unlike = [*files, file_of({"a": np.ones(2, np.float32), "b": np.ones(1)}, "b.pt")]
    assert mistakes(lambda: average(unlike)) == [
        ("unlike-files", "`a` is not alike in 0.pt and b.pt: 3 against 2", None),
        ("unlike-files", "`b` is not alike in 0.pt and b.pt: only in the second", None),
    ]
