"""The digits example: one network trained in PyTorch and one in Keras, the same to the last image in all targets."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parent.parent / "examples" / "digits.py"
NETS = ("n1", "n2")
TARGETS = ("torch", "keras", "onnx")
FORMS = ("written", "folded")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """What the script leaves when it trains, moves and runs everything."""
    folder = tmp_path_factory.mktemp("digits")
    command = [sys.executable, str(SCRIPT), "--work", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "stdout").write_text(done.stdout)
    return folder


def test_the_table_shows_every_network_in_every_target(work):
    head, *rows, verdict = (work / "stdout").read_text().splitlines()
    assert head.split()[-4:] == ["trained", *TARGETS]
    assert [row.split()[0] for row in rows] == ["n2", "n2", "n1", "n1"]
    assert all(len(set(row.split()[-4:])) == 1 for row in rows)
    assert verdict == "every image gets the same answer everywhere"


@pytest.mark.parametrize("net", NETS)
def test_a_trained_network_names_held_out_digits(net, work):
    labels = np.load(work / "digits.npz")["test_y"]
    trained = np.load(work / f"{net}.trained.npy")
    assert len(labels) == 450
    assert (trained.argmax(1) == labels).mean() > 0.97


@pytest.mark.parametrize(("net", "target", "form"), [*product(NETS, TARGETS, FORMS)])
def test_every_image_gets_the_answer_of_the_trained_model(net, target, form, work):
    trained = np.load(work / f"{net}.trained.npy")
    found = np.load(work / f"{net}.{target}.{form}.npy")
    np.testing.assert_array_equal(found.argmax(1), trained.argmax(1))
    np.testing.assert_allclose(found, trained, rtol=0, atol=1e-5 * np.abs(trained).max())


@pytest.mark.parametrize("target", TARGETS)
def test_folding_was_at_work(target, work):
    """What was folded rounds differently, so equal bits would mean that nothing was."""
    written, folded = (np.load(work / f"n2.{target}.{form}.npy") for form in FORMS)
    assert (written != folded).any()
