"""Random networks over all ops, in a fixed small number; `python -m tests.fuzz` runs for longer."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.networks import graph_of, random_program, shrink
from fuzz.properties import check_any_text, check_program, mutated, noise, soup
from fuzz.targets import Worker

PROGRAMS = [random_program(seed) for seed in range(40)]


def test_the_same_seed_gives_the_same_program_and_another_another() -> None:
    assert random_program(3) == PROGRAMS[3]
    assert len(set(PROGRAMS)) == len(PROGRAMS)


def test_programs_reach_many_ops_and_every_construct() -> None:
    kinds = {node.op.kind for text in PROGRAMS for node in graph_of(text).nodes}
    assert len(kinds) > 40
    together = "\n".join(PROGRAMS)
    for word in ("block ", "repeat ", "for ", "if ", "residual", "let ", "out ", "@n", ": "):
        assert word in together


@pytest.mark.parametrize("seed", range(len(PROGRAMS)))
def test_what_holds_of_every_program(seed: int) -> None:
    assert check_program(PROGRAMS[seed]) is None


def test_no_text_raises_anything_but_what_it_is_told() -> None:
    for seed, text in enumerate(PROGRAMS):
        chance = random.Random(seed)
        for wrong in (mutated(text, chance), mutated(text, chance), soup(chance), noise(chance)):
            check_any_text(wrong)


@pytest.mark.parametrize("target", ["torch", "onnx"])
def test_targets_agree_with_the_reference(target: str) -> None:
    worker = Worker(target)
    answers = {seed: worker.ask(text, seed) for seed, text in enumerate(PROGRAMS[:20])}
    worker.close()
    assert {seed: each for seed, each in answers.items() if each not in (None, "unsupported")} == {}
    assert list(answers.values()).count(None) > 10


def test_a_failure_shrinks_to_the_lines_that_matter() -> None:
    text = "input 8\nrelu\ntanh\nsigmoid\n"
    assert shrink(text, lambda text: "tanh" if "tanh" in text else None) == "tanh\n"


def test_one_command_runs_for_longer(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--minutes", "0.02", "--save", str(tmp_path)]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "property agrees" in done.stdout
