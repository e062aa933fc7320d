"""Everything that the README shows: its commands run and print what it says, its Python runs, its specs compile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import netspec

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def blocks(language):
    return [text for kind, text in BLOCKS if kind == language]


def commands(text):
    """Each `$ command` of a console block with the output that follows it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def plain(output):
    """Measured figures differ from machine to machine; their places do not."""
    return re.sub(r"[0-9]\.[0-9]e[-+][0-9]{2}", "#.#e-##", output)


def test_every_block_is_of_a_kind_that_is_tested():
    assert {kind for kind, _ in BLOCKS} == {"sh", "console", "python", "netspec"}


@pytest.mark.slow
@pytest.mark.parametrize("text", blocks("console"), ids=lambda text: text.partition("\n")[0])
def test_commands_print_what_is_shown(text, tmp_path):
    """`...` stands for any rest of the output; stderr is part of what a reader sees."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command, wanted in commands(text):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": scripts},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        found, wanted = plain(done.stdout), plain(wanted)
        head, dots, _ = wanted.partition("...\n")
        assert found.startswith(head) if dots else found == wanted, found


@pytest.mark.parametrize("text", blocks("python"))
def test_python_runs(text):
    subprocess.run([sys.executable, "-c", text], cwd=ROOT, check=True)


@pytest.mark.parametrize("text", blocks("netspec"))
def test_specs_compile(text):
    graph = netspec.parse(text)
    for target in ("torch", "keras", "onnx"):
        assert netspec.compile(graph, target=target).content


def test_the_first_spec_is_the_example():
    assert netspec.parse(blocks("netspec")[0]) == netspec.load(ROOT / "examples" / "n2.net")


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_ci_runs_the_readmes_commands():
    """The two set-up commands are what `.ci/run` does, step by step."""
    script = (ROOT / ".ci" / "run").read_text()
    for line in "".join(blocks("sh")).splitlines():
        create, install, test = line.split(" && ")
        assert create in script
        assert test in script or test.startswith(".venv/bin/netspec verify")
        assert install.replace("[all]", "[dev]") in script.replace(" --quiet", "")
