"""The benchmarks run; what they measure is for people to judge, since no test should hang on a clock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        *("startup", "language", "onnx_export", "torch_speed", "ort_speed", "encoder_speed"),
        *("zoo", "int8", "optimizer_speed", "branches", "training_speed"),
    ],
)
def test_a_benchmark_runs(script):
    if script == "optimizer_speed":
        pytest.importorskip("onnxslim", reason="needs the extra `bench`")
        pytest.importorskip("onnxsim", reason="needs the extra `bench`")
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) >= 3
    assert all(result["value"] > 0 or not result["unit"] for result in results)
