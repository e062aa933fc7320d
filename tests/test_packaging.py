"""The distribution: complete, and useful with nothing but the core's own dependencies."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONSTRAINTS = ROOT / "constraints.txt"


def shell(*command, cwd, code=0):
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done


def test_every_folder_with_code_is_listed():
    """A folder that is not listed works in a checkout and is silently absent from the wheel."""
    homes = {"netspec": "netspec", "grammar": "netspec.grammar", "backends": "netspec.backends"}
    folders = {
        ".".join([homes[top], *path.parent.relative_to(ROOT / top).parts])
        for top in homes
        for path in (ROOT / top).rglob("*.py")
    }
    assert folders == set(PROJECT["tool"]["setuptools"]["packages"])


def test_the_extras_are_those_that_errors_name():
    extras = PROJECT["project"]["optional-dependencies"]
    assert {"torch", "keras", "onnx", "ort", "ort-gpu", "all", "dev"} <= set(extras)
    both = [
        name
        for name, needs in extras.items()
        if "ort-gpu" in str(needs) and "onnxruntime>" in str(needs)
    ]
    assert both == []


def test_constraints_pin_what_the_extras_ask_for():
    pinned = {
        line.split("==")[0].lower() for line in CONSTRAINTS.read_text().splitlines() if "==" in line
    }
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["project"]["dependencies"], *(need for extra in extras for need in extra)]
    names = {need.split(">")[0].split("[")[0].strip() for need in wanted}
    assert names - {"netspec-compiler", "onnxruntime-gpu"} <= pinned


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The scripts of a new environment that holds the wheel and its own dependencies alone."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("netspec", "backends", "grammar"):
        shutil.copytree(
            ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    shell(*pip, "wheel", "--no-deps", "--wheel-dir", folder, folder / "source", cwd=folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env")
    scripts = folder / "env" / "bin"
    pip += ["--python", scripts / "python"]
    shell(*pip, "install", "-c", CONSTRAINTS, wheel, cwd=folder)
    return scripts


@pytest.mark.slow
def test_the_core_alone_checks_summarises_and_compiles_to_source(installed, tmp_path):
    shutil.copy(ROOT / "examples" / "resnet18.net", tmp_path)
    netspec = installed / "netspec"
    assert "resnet18: 69 nodes" in shell(netspec, "check", "resnet18.net", cwd=tmp_path).stdout
    assert "11,689,512" in shell(netspec, "summary", "resnet18.net", cwd=tmp_path).stdout
    for target, words in (
        ("torch", "class Resnet18(nn.Module):"),
        ("keras", "keras.Model("),
        ("ir", '"resnet18"'),
    ):
        assert words in shell(netspec, "compile", "resnet18.net", "-t", target, cwd=tmp_path).stdout
    (tmp_path / "b.net").write_text("input 3 8 8 -> conv_bn 4")  # of the standard library
    assert "b: 4 nodes" in shell(netspec, "check", "b.net", cwd=tmp_path).stdout
    module = shell(installed / "python", "-m", "netspec", "--version", cwd=tmp_path)
    assert module.stdout.strip() == f"netspec, version {PROJECT['project']['version']}"


@pytest.mark.slow
def test_the_core_alone_names_what_is_missing(installed, tmp_path):
    (tmp_path / "a.net").write_text("input 3 -> dense 2")
    netspec = installed / "netspec"
    for command in (
        ["compile", "a.net", "-t", "onnx"],
        ["weights", "init", "a.net", "-o", "w"],
        ["verify", "a.net"],
    ):
        done = shell(netspec, *command, cwd=tmp_path, code=1)
        assert "error[missing-package]" in done.stderr
        assert "pip install 'netspec-compiler[" in done.stderr
    listed = [sys.executable, "-m", "pip", "--python", installed / "python", "list"]
    found = set(shell(*listed, cwd=tmp_path).stdout.split())
    assert "netspec-compiler" in found
    assert not {"numpy", "torch", "tensorflow", "onnx"} & found
