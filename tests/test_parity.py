"""`verify`: what it passes, what it catches, and where it says the fault is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_targets import RIGHT, changed, predicting, stepping
from graphs import chain, graph_of, joined

from netspec.backend import TARGETS
from netspec.compiler import load
from netspec.diagnostics import Diagnostic, SpecError
from netspec.parity import harness, verify
from netspec.parity.harness import PRECISIONS
from netspec.passes.affine import propagate
from netspec.weights import random_weights

NET = """
block unit(c) { conv c 3 padding=1 bias=false -> bn -> relu }
net small {
  input 2 6 6
  first: unit 4
  residual { second: unit 4 }
  gap -> dense 3
}
"""
SMALL = graph_of(NET, "small")


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """`plugin(source)` installs another package's target, called `fake`."""

    def install(source):
        (tmp_path / "fake_target.py").write_text(source)
        about = tmp_path / "fake_target-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-target\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text("[netspec.backends]\nfake = fake_target\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "fake_target", raising=False)

    return install


@pytest.fixture
def without(monkeypatch):
    """`without("torch")`: as on a machine where a package is not installed."""
    find = harness.find_spec

    def uninstall(*names):
        monkeypatch.setattr(
            harness, "find_spec", lambda name: None if name in names else find(name)
        )

    return uninstall


@pytest.fixture
def verify_fake(plugin, without):
    """What `verify` says about a target of this source; NumPy alone is the yardstick."""

    def run(source, **options):
        without("torch")
        plugin(source)
        options = {"precisions": ["float64"], **options}
        return verify(SMALL, targets=["fake"], **options)

    return run


def test_a_right_target_passes(verify_fake):
    report = verify_fake(RIGHT, precisions=["float32", "float64"])
    assert report.passed
    assert [(row.precision, row.mode) for row in report.rows] == [
        ("float32", "eval"),
        ("float32", "train"),
        ("float64", "eval"),
        ("float64", "train"),
    ]
    assert not report.crashes
    assert not report.divergences
    rounded, _, exact, step = report.rows
    assert {check.batch for check in rounded.checks} == {1, 2, 7}
    assert 0 < rounded.worst.relative < 2e-6
    assert exact.worst.relative == 0
    tensors = {check.name for check in step.checks}
    assert tensors == {"output", "input", *(name for name, _ in SMALL.weights())}


def test_a_slightly_wrong_epsilon_is_found_and_placed(verify_fake):
    report = verify_fake(changed("second.bn1", "eps", 1.1e-5))
    assert not report.passed
    assert [row.passed for row in report.rows] == [False, False]
    (found,) = report.divergences
    assert (found.precision, found.mode, found.node.name) == ("float64", "eval", "second.bn1")
    assert "first wrong at `second.bn1` (bn): output `second.bn1` at batch 1" in report.table()


def test_float32_alone_places_a_wrong_layer_too(verify_fake):
    report = verify_fake(changed("first.bn1", "eps", 1e-3), precisions=["float32"])
    (found,) = report.divergences
    assert (found.precision, found.node.name) == ("float32", "first.bn1")


@pytest.mark.parametrize(
    ("source", "place", "quantity"),
    [
        (changed("first.bn1", "momentum", 0.9), "first.bn1", "statistic"),
        (
            stepping('step.gradients["second.conv1.weight"] *= 1.0001'),
            "second.conv1",
            "gradient",
        ),
        (stepping('step.gradients.pop("dense1.bias")'), "dense1", "gradient"),
        (stepping('step.gradients["input"][0] *= 0'), "input", "gradient"),
    ],
    ids=["momentum", "gradient", "lost gradient", "input gradient"],
)
def test_a_wrong_step_is_found_and_placed(verify_fake, source, place, quantity):
    report = verify_fake(source)
    evaluated, trained = report.rows
    assert evaluated.passed
    assert not trained.passed
    (found,) = report.divergences
    assert (found.mode, found.node.name, found.check.quantity) == ("train", place, quantity)


def test_a_gradient_is_blamed_on_the_layer_that_it_reaches_first(verify_fake):
    """What is wrong behind a layer spoils all gradients in front of it."""
    body = 'step.gradients.update({n: g * 2 for n, g in step.gradients.items() if "conv" in n})'
    (found,) = verify_fake(stepping(body)).divergences
    assert found.node.name == "second.conv1"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('outputs["output"][0, 0] = np.nan', "not finite"),
        ('outputs["output"][-1, -1] = np.inf', "not finite"),
        ("outputs.clear()", "missing"),
        ('outputs["other"] = outputs["output"]', "not a tensor of the network"),
        ('outputs["output"] = outputs["output"][:0]', "its shape is (0, 3), not (1, 3)"),
        ('outputs["output"] = outputs["output"].T', "its shape is (3, 1), not (1, 3)"),
    ],
    ids=["nan", "infinity", "missing", "extra", "empty", "transposed"],
)
def test_what_cannot_be_compared_fails(verify_fake, body, fault):
    report = verify_fake(predicting(body))
    assert not report.passed
    assert fault in {check.fault for check in report.rows[0].checks}
    assert f": {fault}" in report.table()
    content = json.loads(report.to_json())
    assert content["rows"][0]["relative"] is None


def test_a_target_that_cannot_train_is_said_to(verify_fake):
    report = verify_fake(stepping("raise NotImplementedError"))
    assert report.passed
    assert [row.mode for row in report.rows] == ["eval"]
    assert "fake: its training step was not verified: the target does not train" in report.table()


@pytest.mark.parametrize(
    ("source", "ending", "words"),
    [
        (
            RIGHT + "def open_session(*_):\n    raise OSError('no kernel')",
            "exit status 1",
            "no kernel",
        ),
        (RIGHT + "import os\ndef open_session(*_):\n    os.abort()", "killed by SIGABRT", ""),
        (stepping("raise ZeroDivisionError('in the step')"), "exit status 1", "in the step"),
    ],
    ids=["raised", "killed", "in the step"],
)
def test_a_crash_fails_with_its_last_words(verify_fake, source, ending, words):
    report = verify_fake(source)
    assert not report.passed
    (crash,) = report.crashes
    assert crash.ending == ending
    assert words in crash.stderr
    assert f"fake, float64: the worker gave no answer ({ending})" in report.table()


def test_a_fault_of_the_blocks_is_told_from_one_of_a_layer(verify_fake):
    report = verify_fake(
        predicting("outputs = {n: y + bool(self.graph.scopes) for n, y in outputs.items()}")
    )
    (found,) = report.divergences
    assert found.node is None
    assert found.explanation == "every layer is right; the blocks are put together wrongly"


def test_a_crash_in_the_search_is_reported(verify_fake):
    body = 'outputs["output"] += 1'
    report = verify_fake(predicting(body))
    (found,) = report.divergences
    assert found.node is None
    assert found.explanation == "cannot show its layers: KeyError: 'output'"


def test_nan_in_the_reference_is_no_excuse():
    weights = random_weights(SMALL)
    weights["dense1.bias"][0] = np.nan
    report = verify(SMALL, targets="reference", weights=weights, precisions=["float64"])
    assert not report.passed
    assert report.rows[0].worst.fault == "not finite in the reference"


def test_folded_batch_norms_are_held_to_the_graph_as_it_is():
    report = verify(SMALL, targets=["reference"], passes=["fold-bn"])
    assert report.passed
    assert [row.mode for row in report.rows] == ["eval", "eval"]
    assert 0 < report.rows[1].worst.relative < 1e-12
    assert "after fold-bn" in report.table()


def test_what_passes_change_stands_beside_what_was(verify_fake):
    wrong = predicting("outputs['output'] = outputs['output'] * (1 + 1e-6)")
    report = verify_fake(wrong, passes=["fold-bn"])
    (row,) = report.rows
    assert not row.passed
    assert max(check.relative for check in row.without) == pytest.approx(1e-6)
    assert 0 < max(check.relative for check in row.moved) < 1e-12
    header, line = report.table().splitlines()[4:6]
    assert header.split()[3:] == ["without", "with", "difference", "limit", "verdict"]
    assert line.split()[3:5] == ["1.0e-06", "1.0e-06"]
    assert line.index("FAILED") == header.index("verdict")
    (content,) = json.loads(report.to_json())["rows"]
    assert content["without_passes"] == pytest.approx(1e-6)
    assert 0 < content["difference"] < 1e-12


def test_what_only_the_rewritten_network_can_do_stands_alone(verify_fake, monkeypatch):
    def refused(graph, _):
        if any(node.op.kind == "bn" for node in graph.nodes):
            raise SpecError(Diagnostic("unsupported-op", "no batch norms here"))

    monkeypatch.setattr(harness, "_check_target", refused)
    report = verify_fake(RIGHT, passes=["fold-bn"])
    assert report.passed
    assert report.table().splitlines()[5].split()[3:6:2] == ["-", "-"]


def test_a_network_without_weights_is_verified_too():
    report = verify(chain("input 3 4 4", "relu", "pool 2"), targets=["reference"])
    assert report.passed
    assert {check.name for check in report.rows[-1].checks} == {"output", "input"}


def test_a_wrong_fold_is_found(monkeypatch):
    def forgetful(model):
        folded = true_fold(model)
        name = "first.conv1.bias"
        return folded._replace(weights={**folded.weights, name: folded.weights[name] * 1.001})

    true_fold = propagate.fold_batchnorm
    monkeypatch.setattr(propagate, "fold_batchnorm", forgetful)
    report = verify(SMALL, targets=["reference"], passes=["fold-bn"])
    assert [row.passed for row in report.rows] == [False, False]


def test_targets_that_are_not_installed_are_listed(without):
    without("torch", "tensorflow", "onnxruntime")
    with pytest.raises(SpecError, match="there is no target to verify"):
        verify(SMALL)
    without("torch", "tensorflow")
    report = verify(SMALL, precisions=["float32"])
    assert report.passed
    assert {row.target for row in report.rows} == {"onnx"}
    reason = "it was not verified: the package `torch` is not installed"
    assert f"torch: {reason} (pip install 'netspec-compiler[torch]')" in report.table()
    without("tensorflow")
    with pytest.raises(SpecError) as caught:
        verify(SMALL, targets=["keras"])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "the package `tensorflow` is not installed"
    assert diagnostic.help == "pip install 'netspec-compiler[keras]'"


def test_a_target_that_cannot_realise_the_network_is_an_error(plugin):
    plugin(f"{RIGHT}\nfrom netspec.backend import Rows\nROWS = Rows('fake')")
    with pytest.raises(SpecError, match=r"fake cannot realise `conv` \(first\.conv1\)"):
        verify(SMALL, targets=["fake"])


def test_an_unknown_target_is_an_error():
    with pytest.raises(SpecError, match="there is no target `torsch`"):
        verify(SMALL, targets=["torsch"])


def test_weights_that_do_not_fit_are_an_error():
    with pytest.raises(SpecError, match="missing-weight"):
        verify(SMALL, weights={})


@pytest.mark.parametrize(
    "options", [{"batches": []}, {"batches": [0]}, {"precisions": []}, {"precisions": ["float16"]}]
)
def test_nothing_to_compare_is_an_error(options):
    with pytest.raises(ValueError, match="verify needs"):
        verify(SMALL, targets=["reference"], **options)


def test_the_report_says_the_same_in_json(verify_fake):
    report = verify_fake(changed("second.bn1", "eps", 1.1e-5), seed=3, batches=[2])
    content = json.loads(report.to_json())
    assert content["passed"] is False
    assert content["network"] == "small"
    assert content["fingerprint"] == SMALL.fingerprint
    assert (content["seed"], content["batches"], content["passes"]) == (3, [2], [])
    assert content["versions"].keys() == {"numpy"}
    evaluated, trained = content["rows"]
    assert evaluated["checks"][0] == {
        "quantity": "output",
        "name": "output",
        "batch": 2,
        "absolute": evaluated["max_abs"],
        "relative": evaluated["relative"],
        "limit": 1e-9,
        "fault": None,
        "passed": False,
    }
    assert len(trained["checks"]) == 2 + len(list(SMALL.weights()))
    assert content["divergences"][0]["node"] == {"name": "second.bn1", "kind": "bn"}


def test_the_table_is_aligned(verify_fake):
    lines = verify_fake(RIGHT).table().splitlines()
    assert lines[0] == "small against the float64 reference (batches 1, 2, 7; seed 0)"
    assert lines[2] == "target  precision  mode   max abs  relative    limit  verdict"
    assert lines[3] == "fake    float64    eval   0.0e+00   0.0e+00  1.0e-09  ok"
    assert lines[-1] == "2 of 2 passed"


@pytest.mark.slow
@pytest.mark.parametrize("passes", [(), ("fold-bn",)], ids=["whole", "folded"])
def test_the_reference_networks_are_the_same_in_every_target(passes):
    """Side by side: most of a verification is the start of its processes."""
    folder = Path(__file__).parent.parent / "examples"
    graph = joined([load(folder / f"{name}.net") for name in ("n1", "n2", "n3", "n4")])
    report = verify(graph, passes=passes, precisions=["float64"] if passes else PRECISIONS)
    assert report.passed, report.table()
    assert {row.target for row in report.rows} == set(TARGETS)
