"""What every target makes of a spec, as files that people can read and compare.

`tests/cases/<name>/` holds the spec (`spec.net`, or the example of that name) beside the emitted
files. `NETSPEC_UPDATE=1 pytest tests/test_cases.py` rewrites them; read the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import onnx
import pytest

import netspec
from netspec.text import to_text

TESTS = Path(__file__).parent
CASES = sorted(path.name for path in (TESTS / "cases").iterdir())


def load(name):
    own = TESTS / "cases" / name / "spec.net"
    return netspec.load(own if own.exists() else TESTS.parent / "examples" / f"{name}.net")


def onnx_text(graph):
    """The nodes of the ONNX graph, one a line."""
    model = onnx.load_from_string(netspec.compile(graph, target="onnx").content)
    lines = [f"ir {model.ir_version}, opset {model.opset_import[0].version}"]
    for node in model.graph.node:
        given = [f"{a.name}={onnx.helper.get_attribute_value(a)}" for a in node.attribute]
        names = f"{', '.join(node.input)} -> {', '.join(node.output)}"
        lines.append(f"{node.op_type}({', '.join(given)}) {names}")
    return "\n".join(lines) + "\n"


EMITTED = {
    "graph.txt": to_text,
    "torch.txt": lambda graph: netspec.compile(graph, target="torch").text,
    "keras.txt": lambda graph: netspec.compile(graph, target="keras").text,
    "onnx.txt": onnx_text,
}


@pytest.mark.parametrize("file", EMITTED)
@pytest.mark.parametrize("name", CASES)
def test_targets_emit_what_is_kept(name, file):
    path = TESTS / "cases" / name / file
    text = EMITTED[file](load(name))
    if os.environ.get("NETSPEC_UPDATE"):
        path.write_text(text)
    assert path.read_text() == text
