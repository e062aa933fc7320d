"""`doctor`: what it makes of a machine, and that no package can take it down with it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from netspec.cli import main
from netspec.doctor import findings
from netspec.doctor.asking import ask
from netspec.doctor.findings import (
    PACKAGES,
    examine,
    healthy,
    least,
    numbers,
    owners,
    to_json,
    to_table,
)

RUNTIME = {"version": "1.31.1", "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
GOOD = {
    "torch": {"version": "2.13.0", "gpus": ["H100"], "built for": "13.0"},
    "keras": {"version": "3.15.1", "backend": "tensorflow", "gpus": []},
    "onnx": {"version": "1.23.2", "opset": 26, "ir": 13},
    "onnxruntime": {**RUNTIME, "opset": 24, "ir": 12},
    "CUDAExecutionProvider": {"works": True},
    "CPUExecutionProvider": {"works": True},
}


@pytest.fixture
def machine(monkeypatch):
    """Pretend: the answers of the probes, the versions, who has onnxruntime, whether there is a GPU."""

    def make(
        answers=None,
        versions=None,
        runtimes=("onnxruntime-gpu",),
        gpu=True,
        tensorflow=("tensorflow",),
    ):
        given = {**GOOD, **(answers or {})}
        known = {name: "99.0" for names in PACKAGES.values() for name in names} | (versions or {})
        known |= dict.fromkeys(runtimes, "1.31.1")
        known |= dict.fromkeys(tensorflow, known["tensorflow"])
        having = {"onnxruntime": runtimes, "tensorflow": tensorflow}
        monkeypatch.setattr(findings, "ask", lambda names, *_: {n: given[n] for n in names})
        monkeypatch.setattr(findings, "_version", known.get)
        monkeypatch.setattr(findings, "owners", lambda module: list(having[module]))
        monkeypatch.setattr(findings, "has_device", lambda: gpu)
        found = examine(1)
        return {each.part: each for each in reversed(found)}, healthy(found)

    return make


def test_a_good_machine_needs_nothing_but_what_it_is_told(machine):
    found, fine = machine()
    assert fine
    assert {part: each.state for part, each in found.items() if each.state != "ok"} == {
        "keras gpu": "warning"
    }
    assert found["keras gpu"].cure == "pip install 'tensorflow[and-cuda]'"
    assert found["torch gpu"].text == "H100"
    assert found["ort"].text == "onnxruntime-gpu 1.31.1"
    assert "written: opset 20, IR 9; --opset takes 17 to 24" in found["opset"].text
    assert "loads up to opset 24, IR 12" in found["opset"].text


def test_tensorflow_may_come_from_another_distribution(machine):
    found, fine = machine(tensorflow=("tensorflow-cpu",))
    assert fine
    assert found["keras"].text == "keras 99.0, tensorflow-cpu 99.0, backend tensorflow"
    assert found["keras gpu"].cure == (
        "pip uninstall -y tensorflow-cpu && pip install 'tensorflow[and-cuda]'"
    )


def test_what_is_absent_is_no_fault(machine):
    found, fine = machine(versions={"torch": None, "tensorflow": None}, gpu=False)
    assert fine
    assert found["torch"] == (
        "torch",
        "absent",
        "torch not installed",
        "pip install 'netspec-compiler[torch]'",
    )
    assert found["keras"].text == "tensorflow not installed"
    assert "torch gpu" not in found


@pytest.mark.parametrize(
    ("part", "cure", "options"),
    [
        ("torch", "pip install --upgrade torch", {"versions": {"torch": "2.4.1"}}),
        (
            "keras",
            "pip install --force-reinstall keras tensorflow",
            {"answers": {"keras": "killed"}},
        ),
        (
            "ort cuda",
            "pip install 'onnxruntime-gpu[cuda,cudnn]'",
            {"answers": {"CUDAExecutionProvider": {"works": False, "reason": "no driver"}}},
        ),
        (
            "opset",
            "pip install --upgrade onnxruntime-gpu",
            {"answers": {"onnxruntime": {**RUNTIME, "opset": 19, "ir": 9}}},
        ),
        (
            "ort wheels",
            "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu",
            {"runtimes": ("onnxruntime", "onnxruntime-gpu")},
        ),
    ],
)
def test_what_is_broken_has_a_cure(machine, part, cure, options):
    found, fine = machine(**options)
    assert not fine
    broken = [each for each in found.values() if each.state == "broken"]
    assert [(each.part, each.cure) for each in broken] == [(part, cure)]


def test_limits_and_missing_cuda_are_told(machine):
    answers = {
        "onnxruntime": {
            "version": "1.20",
            "providers": ["CPUExecutionProvider"],
            "opset": 21,
            "ir": 10,
        }
    }
    found, fine = machine(answers, runtimes=("onnxruntime",))
    assert fine
    assert found["opset"].text.endswith("stay at --opset 21 or below")
    assert (
        found["ort cuda"].cure
        == "pip uninstall -y onnxruntime && pip install 'netspec-compiler[ort-gpu]'"
    )
    assert machine(answers, runtimes=("onnxruntime",), gpu=False)[0]["ort cuda"].cure is None


def test_two_wheels_of_one_module_are_seen(tmp_path, monkeypatch):
    for name in ("onnxruntime", "onnxruntime_gpu"):
        folder = tmp_path / f"{name}-1.31.1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {name.replace('_', '-')}\nVersion: 1.31.1\n")
        (folder / "RECORD").write_text("onnxruntime/__init__.py,,\n")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert owners("onnxruntime") == ["onnxruntime", "onnxruntime-gpu"]


def test_versions_are_compared_as_numbers():
    asked = ["torch>=2.5; extra == 'torch'", "torchvision>=9", "keras>=3.8,<4; extra == 'keras'"]
    assert least(asked, "torch") == (2, 5)
    assert least(asked, "keras") == (3, 8)
    assert least(asked, "numpy") is None
    assert numbers("2.13.0+cpu") == (2, 13, 0)
    assert numbers("2.10") > numbers("2.9.1")


def test_the_extras_are_the_projects():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    for extra, packages in PACKAGES.items():
        assert all(least(extras[extra], package) is not None for package in packages), extra


def test_no_package_takes_doctor_down(tmp_path, monkeypatch):
    """One aborts, one never comes back, one raises: each is told in words, and the others answer."""
    (tmp_path / "torch.py").write_text("print('noise')\nimport os\nos.abort()\n")
    (tmp_path / "keras.py").write_text("import time\ntime.sleep(600)\n")
    (tmp_path / "onnx.py").write_text("raise ImportError('its library is not there')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = ask(["torch", "keras", "onnx"], limit=6)
    assert found == {
        "torch": "its process ended (killed by SIGABRT)",
        "keras": "it gave no answer within 6 s",
        "onnx": "ImportError: its library is not there",
    }


def test_the_command_tries_what_is_there(monkeypatch):
    """ONNX and its runtime in earnest: the other frameworks take too long to start here."""
    monkeypatch.setattr(findings, "_PROBED", {"onnx": "onnx", "ort": "onnxruntime"})
    result = CliRunner().invoke(main, ["doctor", "--format", "json"], catch_exceptions=False)
    report = json.loads(result.stdout)
    assert (result.exit_code == 0) == report["ok"]
    parts = {each["part"]: each for each in report["findings"]}
    assert parts["ort cpu"]["text"] == "a session starts and computes"
    assert "--opset takes 17 to 24; onnxruntime" in parts["opset"]["text"]
    found = [findings.Finding(**each) for each in report["findings"]]
    assert json.loads(to_json(found)) == report
    assert len(to_table(found).splitlines()) == len(found) + sum(
        each.cure is not None for each in found
    )
