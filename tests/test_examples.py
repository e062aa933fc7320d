"""The shipped examples: each gives the same numbers on every target, as it stands and with batch norms folded."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphs import joined
from small import EXAMPLES, example

import netspec

FILES = Path(__file__).parent.parent / "examples"

TOGETHER = [name for name in EXAMPLES if name not in {"n1", "n2", "n3", "n4"}]
"""Verified side by side; `test_parity.py` has the reference networks as they stand."""

LINES = {
    "resnet50": 15,
    "densenet121": 12,
    "mobilenet_v2": 15,
    "efficientnet_b0": 22,
    "inception_v3": 35,
    "unet": 8,
    "vit_b_16": 12,
    "gpt2": 14,
}


@pytest.mark.parametrize("name", LINES)
def test_architectures_take_few_lines(name):
    assert len((FILES / f"{name}.net").read_text().splitlines()) <= LINES[name]


def test_every_example_is_here():
    assert {path.stem for path in FILES.glob("*.net")} == {name.split()[0] for name in EXAMPLES}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("n1", "conv relu bn pool flatten dense relu bn dense softmax"),
        ("n2", "conv bn relu pool flatten dense relu dropout dense"),
        ("n2 with a second dropout", "conv bn relu pool flatten dense relu dropout dense dropout"),
        ("n3", "dense relu dropout bn dense"),
        ("n3 with dropout alone", "dense relu dropout dense"),
        ("n3 with batch norm alone", "dense relu bn dense"),
        ("n4", "conv relu bn conv relu pool flatten dense relu dropout dense softmax"),
    ],
)
def test_the_reference_networks_are_what_their_tutorials_say(name, kinds):
    assert [node.op.kind for node in example(name).nodes][1:] == kinds.split()


@pytest.mark.slow
@pytest.mark.parametrize("names", [TOGETHER[::2], TOGETHER[1::2]], ids=", ".join)
def test_every_target_gives_the_same_numbers(names):
    """Side by side, as it stands and folded: most of a verification is the start of its processes.

    In float64, where nothing hides: `benchmarks/accuracy.py` measures each of them in float32.
    """
    report = netspec.verify(
        joined([example(name) for name in names]),
        targets=["torch", "keras", "onnx"],
        passes=["fold-bn"],
        batches=[2],
        precisions=["float64"],
    )
    assert report.passed, report.table()
