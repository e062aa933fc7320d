"""What quantizing costs: how the outputs before and after are compared, and which difference decides."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import graph_of

from netspec.diagnostics import SpecError
from netspec.quantization.quality import Thresholds, judge


def found_in(text, before, after, labels=None, **thresholds):
    bounds = Thresholds(**thresholds)
    arrays = ({"output": np.asarray(each, np.float32)} for each in (before, after))
    return judge(graph_of(text), *arrays, labels, bounds)


def test_what_is_measured_and_what_decides():
    before = [[3, 0], [0, 3], [3, 0], [0, 3]]
    after = [[3, 0], [0, 3], [0, 3], [0, 3]]
    agreement, error = found_in("input 2 -> relu", before, after)
    assert (agreement.quantity, agreement.after, agreement.passed) == ("agreement", 0.75, False)
    assert error.after == pytest.approx(np.sqrt(18 / 8 / (36 / 8)))
    assert error.bound is None
    assert error.passed
    labels = np.array([0, 1, 1, 0])
    accuracy, agreement, error = found_in("input 2 -> relu", before, after, labels)
    assert (accuracy.before, accuracy.after, accuracy.passed) == (0.5, 0.75, True)
    assert agreement.bound is None
    assert agreement.passed
    (error,) = found_in("input 1 -> relu", [[1], [2]], [[1], [2.2]])
    assert (error.bound, error.passed) == (0.05, False)
    assert found_in("input 1 -> relu", [[1], [2]], [[1], [2.2]], max_error=0.2)[0].passed
    agreement, error = found_in("input 2 -> relu", before, after, max_error=2)
    assert agreement.bound is None
    assert error.passed
    (agreement, error) = found_in("input 2 -> relu", before, [[np.nan, 1]] * 4, min_agreement=0)
    assert agreement.passed
    assert not error.passed


def test_classes_of_each_position():
    before = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    labels = before.argmax(1)
    accuracy, *_ = found_in("input 3 4 4 -> relu", before, before, labels)
    assert accuracy.before == accuracy.after == 1
    with pytest.raises(SpecError, match="do not fit classes"):
        found_in("input 3 4 4 -> relu", before, before, labels[:, 0])
    with pytest.raises(SpecError, match="has no classes"):
        found_in("input 1 -> relu", [[1]], [[1]], np.array([0]))
    with pytest.raises(SpecError, match="labels go with one"):
        judge(graph_of("input 2\nout a=@, b=@"), {}, {}, labels, Thresholds())
