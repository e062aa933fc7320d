"""What norms, gates, merges and element functions refuse, each with its words; and what runs without chance."""

from __future__ import annotations

import subprocess
import sys

import pytest
from graphs import graph_of

from netspec.diagnostics import SpecError
from netspec.passes import Model
from netspec.passes.deterministic import deterministic

MISTAKES = [
    ("input 3 4 4 -> clamp", "missing-argument", "needs `low`, `high` or both"),
    ("input 3 -> clamp 1 0", "bad-argument", "at least 1 and at most 0"),
    ("input 3 4 4 -> swiglu", "uneven-split", "3 is odd"),
    ("input 6 4 4 -> gn 4", "indivisible-groups", "6 channels cannot be split into 4 groups"),
    ("input 3 4 4 -> normalize [1, 2] 1", "wrong-count", "2 numbers for 3 channels"),
    ("input 3 4 4 -> normalize 1 0", "bad-argument", "must not be 0"),
    ("input 3 4 4 -> softmax axis=t", "unknown-axis", "has no axis `t`"),
    ("input 3 4 4 -> reduce_max w d", "unknown-axis", "has no axis `d`"),
    ("input 4 3 -> reduce_mean c -> ln", "unknown-axis", "has no axis `c`"),
    ("input 4 3 -> reduce_mean c -> dense 2", "wrong-kind", "not `t` of 4"),
    ("input 3 -> alpha_dropout 1", "bad-argument", "must be less than 1"),
    ("input 3 -> softplus 0", "bad-argument", "must be more than 0"),
    ("input 3 4 4 -> mul { @ | conv 2 1 }", "unequal-branches", "which is 2 x 4 x 4"),
    (
        "input 3 4 4 -> mul { reduce_mean c keep=true | reduce_mean h w keep=true }",
        "unequal-branches",
        "cannot combine",
    ),
    ("input 3 4 4 -> max { @ | reduce_mean c keep=true }", "unequal-branches", "of one shape"),
    ("input 3 4 -> matmul { @ | @ }", "unequal-branches", "4 columns meet 3 rows"),
    ("input 3 4 4 -> matmul { @ | @ }", "wrong-kind", "not an image"),
]


@pytest.mark.parametrize(("text", "id_", "words"), MISTAKES)
def test_a_mistake_has_its_id_and_words(text: str, id_: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        graph_of(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.id == id_
    assert words in diagnostic.message


def test_a_deterministic_network_drops_nothing_and_stays_so() -> None:
    graph = graph_of("input 4 8 -> dropout -> spatial_dropout 0.1 -> drop_path 0.2 -> relu")
    once = deterministic(Model(graph)).graph
    rates = [node.op.model_dump().get("rate") for node in once.nodes]
    assert rates == [None, 0, 0, 0, None]
    assert deterministic(Model(once)).graph == once
    assert [node.name for node in once.nodes] == [node.name for node in graph.nodes]


@pytest.mark.parametrize("target", ["torch", "keras", "onnx", "reference"])
def test_every_row_is_found_by_its_family_alone(target: str) -> None:
    """One process for each target: it imports a family of rows when an op of it is asked for, and no other."""
    code = f"""
import sys
from netspec.backend import load_backend
from netspec.ops import all_ops
rows = load_backend("{target}").ROWS
prefix = "netspec.backends.{target}.ops."
for op in all_ops():
    for name in [name for name in sys.modules if name.startswith(prefix)]:
        del sys.modules[name]
    rows.__init__(rows.target)
    if op.kind != "input":
        assert op in rows, op.kind
"""
    subprocess.run([sys.executable, "-c", code], check=True)
