"""The shipped examples: each gives the same numbers on every target, as it stands and with batch norms folded."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphs import joined

import netspec

EXAMPLES = Path(__file__).parent.parent / "examples"

NETWORKS = {
    "line": {"input_shape": (3, 32, 32)},
    "n1": {},
    "n2": {},
    "n2 with a second dropout": {"overrides": {"head_rate": 0.5}},
    "n3": {},
    "n3 with dropout alone": {"overrides": {"norm": None}},
    "n3 with batch norm alone": {"overrides": {"rate": 0}},
    "n4": {"overrides": {"classes": 7}},
    "two_tower": {},
    "resnet18": {"input_shape": (3, 64, 64)},
    "resnet50": {"input_shape": (3, 64, 64), "overrides": {"depths": (1, 2, 1, 1)}},
    "mobilenet_v2": {"input_shape": (3, 64, 64), "overrides": {"width": 0.25}},
    "efficientnet_b0": {
        "input_shape": (3, 64, 64),
        "overrides": {"width": 0.25, "depth": 0.3},
    },
    "inception_v3": {"input_shape": (3, 96, 96), "overrides": {"auxiliary": False}},
    "densenet121": {"input_shape": (3, 64, 64), "overrides": {"depths": (2, 3, 1, 2)}},
    "vit_b_16": {
        "input_shape": (3, 12, 8),
        "overrides": {"depth": 2, "heads": 4, "c": 16, "hidden": 24, "patch": 4, "classes": 5},
    },
    "gpt2": {"overrides": {"depth": 2, "heads": 4, "c": 16, "vocab": 30, "context": 6}},
    "bert": {"overrides": {"depth": 2, "heads": 4, "c": 16, "vocab": 30, "t": 6}},
    "unet": {"overrides": {"c": 4, "depth": 2}},
    "tcn": {"overrides": {"t": 24, "widths": (5, 5, 6), "k": 3, "rate": 0.1}},
    "wavenet": {"overrides": {"t": 24, "q": 8, "c": 4, "s": 6, "layers": 3, "stacks": 2}},
}


APART = ("resnet18", "bert")
"""Verified by themselves; `test_parity.py` has the reference networks as they stand."""
TOGETHER = [name for name in NETWORKS if name not in {*APART, "n1", "n2", "n3", "n4"}]

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
    assert len((EXAMPLES / f"{name}.net").read_text().splitlines()) <= LINES[name]


def load(name):
    return netspec.load(EXAMPLES / f"{name.split()[0]}.net", **NETWORKS[name])


def test_every_example_is_here():
    assert {path.stem for path in EXAMPLES.glob("*.net")} == {name.split()[0] for name in NETWORKS}


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
    assert [node.op.kind for node in load(name).nodes][1:] == kinds.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [*([name] for name in APART), TOGETHER[::2], TOGETHER[1::2]],
    ids=lambda names: ", ".join(names),
)
def test_every_target_gives_the_same_numbers(names):
    """Side by side: most of a verification is the start of its processes."""
    graphs = [load(name) for name in names]
    graph = joined(graphs) if len(graphs) > 1 else graphs[0]
    report = netspec.verify(graph, targets=["torch", "keras", "onnx"], passes=["fold-bn"])
    assert report.passed, report.table()
