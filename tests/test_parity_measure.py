"""What a verification is made of: the measure, the limits, the exposed graph and the files."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import chain, graph_of

from netspec.backend import Step
from netspec.parity.compare import check_predictions, check_step
from netspec.parity.diverge import expose, expose_exercise
from netspec.parity.exchange import Answer, Exercise, Task, read_answer, write_answer
from netspec.parity.limits import Limits, inference_limit
from netspec.parity.runner import Job
from netspec.weights import random_weights

GRAPH = graph_of("net small {\n input 2 6 6\n first: { conv 4 3 -> bn } -> relu -> dense 3\n}")


def test_exposing_shows_every_layer_and_changes_nothing_else():
    exposed = expose(GRAPH)
    assert exposed.nodes == GRAPH.nodes
    assert exposed.scopes == ()
    assert [output.name for output in exposed.outputs] == [node.name for node in GRAPH.nodes[1:]]
    assert expose(exposed) == exposed


def test_the_exposed_loss_is_the_same():
    graph = graph_of("net two {\n input 3 -> dense 2\n out a=@, b=@\n}")
    ones = {"a": np.ones((7, 2), np.float32), "b": np.full((7, 2), 2, np.float32)}
    exercise = Exercise(({"input": np.ones((1, 3))},), {"input": np.ones((7, 3))}, ones)
    exposed = expose_exercise(graph, exercise, 0)
    assert exposed.cotangents.keys() == {"dense1"}
    assert (exposed.cotangents["dense1"] == 3).all()


def test_errors_are_relative_to_the_largest_value_of_all_batches():
    wanted = [{"y": np.array([[1e-6]])}, {"y": np.array([[-2.0], [1.0]])}]
    found = [{"y": np.array([[3e-6]])}, {"y": np.array([[-2.0], [1.5]])}]
    first, second = check_predictions(found, wanted, lambda _: 0.1)
    assert (first.absolute, first.relative) == pytest.approx((2e-6, 1e-6))
    assert (second.absolute, second.relative) == (0.5, 0.25)
    assert (first.passed, second.passed) == (True, False)


def test_a_vanishing_gradient_is_measured_against_its_layer():
    """A bias in front of a batch norm has no gradient: what is left is rounding."""
    y = {"y": np.ones((7, 1))}
    wanted = Step(y, {"a.weight": np.array([2.0]), "a.bias": np.array([1e-17])}, {})
    found = Step(y, {"a.weight": np.array([2.0]), "a.bias": np.array([-4e-17])}, {})
    assert all(check.passed for check in check_step(found, wanted, lambda _: 1e-9))
    wrong = found._replace(gradients={**found.gradients, "a.bias": np.array([1e-8])})
    assert [c.name for c in check_step(wrong, wanted, lambda _: 1e-9) if not c.passed] == ["a.bias"]


def test_a_layer_without_gradients_is_measured_against_the_network():
    """A layer whose result is added in front of an instance norm has none: what is left is rounding."""
    y = {"y": np.ones((7, 1))}
    wanted = Step(y, {"a.weight": np.array([2.0]), "b.weight": np.array([1e-16])}, {})
    found = Step(y, {"a.weight": np.array([2.0]), "b.weight": np.array([-4e-16])}, {})
    assert all(check.passed for check in check_step(found, wanted, lambda _: 1e-9))
    wrong = found._replace(gradients={**found.gradients, "b.weight": np.array([1e-12])})
    assert [c.name for c in check_step(wrong, wanted, lambda _: 1e-9) if not c.passed] == [
        "b.weight"
    ]


def test_a_result_that_is_called_like_its_weight_is_shown_below_it():
    graph = graph_of("net own {\n input 3 -> shift\n}")
    assert [output.name for output in expose(graph).outputs] == ["shift1.value"]
    ones = {"output": np.ones((7, 3), np.float32)}
    exercise = Exercise(({"input": np.ones((1, 3))},), {"input": np.ones((7, 3))}, ones)
    assert expose_exercise(graph, exercise, 0).cotangents["shift1.value"].sum() == 21


def test_zeros_must_be_zeros():
    zeros = [{"y": np.zeros((2, 2))}]
    (same,) = check_predictions(zeros, zeros, lambda _: 1e-9)
    assert (same.relative, same.passed) == (0, True)
    (other,) = check_predictions([{"y": np.full((2, 2), 1e-300)}], zeros, lambda _: 1e-9)
    assert not other.passed


def test_a_constant_that_a_framework_keeps_in_float32_opens_its_limit_alone():
    limits = Limits(graph_of("net gate {\n input 3 -> hardsigmoid\n}"), *answers(0), None, None)
    assert limits.step(Job("torch", "float64"), "gradient") == 1e-7
    assert limits.step(Job("keras", "float64"), "gradient") == 1e-9


def test_a_bad_yardstick_does_not_open_the_gate():
    assert inference_limit(0) == 2e-6
    assert inference_limit(1e-6) == 4e-6
    assert inference_limit(np.inf) == 1e-2


def answers(*errors):
    """Answers that are off by so much in all that they hold."""
    one = np.ones((7, 1))
    return [
        Answer(({"y": one + e},), Step({"y": one + e}, {"a": one[0] + e}, {"b": one[0] + e}))
        for e in errors
    ]


def test_float32_is_bounded_by_what_it_costs_others():
    keras, torch, exact = Job("keras", "float32"), Job("torch", "float32"), Job("onnx", "float64")
    truth, tiny, small, wrong = answers(0, 1e-7, 1e-5, 1e-1)
    graph = chain("input 3", "relu")
    limits = Limits(graph, truth, small, tiny)
    assert limits.output(torch, "y") == pytest.approx(4e-5)
    assert limits.output(keras, "y") == 2e-6
    assert limits.output(exact, "y") == 1e-7
    assert limits.output(Job("keras", "float64"), "y") == 1e-9
    curved = Limits(chain("input 3", "gelu"), truth, small, tiny)
    assert curved.output(Job("keras", "float64"), "y") == 1e-7
    assert curved.output(Job("torch", "float64"), "y") == 1e-9
    assert limits.step(keras, "gradient") == 1e-2
    assert limits.step(Job("torch", "float64"), "gradient") == 1e-9
    assert Limits(graph, truth, tiny, wrong).output(keras, "y") == pytest.approx(8e-6)
    assert Limits(graph, truth, small, None).output(keras, "y") == pytest.approx(4e-5)
    assert Limits(graph, truth, wrong, wrong).step(keras, "statistic") == pytest.approx(0.8)


def test_files_carry_a_task_and_its_answer(tmp_path):
    graph = chain("input 3", "dense 2")
    weights = {"float64": {n: a.astype(np.float64) for n, a in random_weights(graph).items()}}
    batch = {"input": np.arange(6, dtype=np.float32).reshape(2, 3)}
    Task(graph, weights, Exercise((batch, batch))).write(tmp_path)
    read, kept, exercise = Task.read(tmp_path, "float64")
    assert read == graph
    assert all(np.array_equal(kept[name], array) for name, array in weights["float64"].items())
    assert len(exercise.predictions) == 2
    assert exercise.predictions[1]["input"].dtype == np.float64
    assert exercise.step_inputs is None
    step = Step({"a.b": np.ones(2)}, {}, {"c.d": np.zeros((1, 2))})
    for answer in (Answer(({"y": np.ones(1)},)), Answer(({"y": np.ones(1)},), step)):
        write_answer(tmp_path / "answer.npz", answer)
        back = read_answer(tmp_path / "answer.npz")
        assert back.predictions[0]["y"] == 1
        assert (back.step is None) == (answer.step is None)
    assert back.step.gradients == {}
    assert back.step.statistics["c.d"].shape == (1, 2)
