"""`netspec train`: its options, what it writes, what it says."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import netspec
from netspec.cli import main
from netspec.training.recipe import Recipe


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "net.net"
    path.write_text("net small { input 30 -> dense 8 -> bn -> relu -> dense 2 }\n")
    return str(path)


def run(*arguments):
    return CliRunner().invoke(main, ["train", *map(str, arguments)], catch_exceptions=False)


def test_a_run_leaves_weights_history_and_curves(spec, tmp_path):
    output, table, lines, picture = (
        tmp_path / name for name in ("w.safetensors", "h.csv", "h.json", "c.svg")
    )
    options = ["--data", "breast-cancer", "--epochs", 4, "--lr", 0.01, "--seed", 3]
    options += ["--early-stopping", 5, "--val-split", 0.2, "--curves", picture]
    done = run(spec, *options, "-o", output, "--history", table)
    assert done.exit_code == 0, done.output
    assert run(spec, *options, "-o", output, "--history", lines).exit_code == 0
    said = done.stderr.splitlines()
    assert [line.split()[1] for line in said[:4]] == ["1/4", "2/4", "3/4", "4/4"]
    assert said[-1].endswith("(143 examples that were held out)")
    head, *rows = table.read_text().splitlines()
    assert head == "epoch,lr,loss,accuracy,val_loss,val_accuracy,seconds"
    again = json.loads(lines.read_text())
    for row, other in zip(rows, again, strict=True):
        assert [float(each) for each in row.split(",")[:-1]] == pytest.approx(
            list(other.values())[:-1], rel=1e-6
        )
    assert again[-1]["val_accuracy"] > 0.9
    assert "<svg" in picture.read_text()
    netspec.build(netspec.load(spec), target="torch", weights=netspec.load_weights(output))


def test_every_field_of_a_recipe_is_an_option():
    said = run("--help").output
    for name in Recipe.model_fields:
        assert f"--{name.replace('_', '-')} " in said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--data", "digits"], 2, "name a file for the weights"),
        (["--data", "digits", "-o", "w", "--resume"], 2, "--resume goes on from a --checkpoint"),
        (["--data", "digits", "-o", "w", "--framework", "keras", "--distributed"], 2, "go with"),
        (["--data", "digits", "-o", "w"], 1, "misshapen-data"),
        (["--data", "wine", "-o", "w", "--batch", "0"], 1, "bad-recipe"),
        (["--data", "wines", "-o", "w"], 1, "did you mean `wine`"),
        (["--data", "wine", "-o", "w", "--class-weights", "a"], 2, "nor numbers with commas"),
        (["--data", "breast-cancer", "-o", "w", "--class-weights", "1,2,3"], 1, "3 class weights"),
        (["--data", "breast-cancer", "-o", "w", "--distributed"], 1, "not-distributed"),
        (["--data", "breast-cancer", "-o", "w", "--curves", "c.txt"], 1, "bad-picture"),
        (
            ["--data", "breast-cancer", "-o", "w", "--lr", "1e30", "--optimizer", "sgd"],
            1,
            "diverged",
        ),
    ],
)
def test_what_is_refused(arguments, code, words, spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(spec, *arguments)
    assert done.exit_code == code
    assert words in done.stderr
    assert not (tmp_path / "w").exists()


def test_on_a_terminal_a_bar_shows_the_steps_and_ctrl_c_keeps_the_best(spec, tmp_path):
    """A process behind a terminal, interrupted in the midst of its run, and taken up again."""
    output, state = tmp_path / "w.safetensors", tmp_path / "state.safetensors"
    command = [sys.executable, "-m", "netspec", "train", spec, "--data", "breast-cancer"]
    command += ["--epochs", "100000", "--val-split", "0.2", "-o", str(output)]
    command += ["--checkpoint", str(state)]
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, start_new_session=True
    )
    os.close(follower)
    said = b""
    while b"epoch 4/" not in said.replace(b"     ", b""):
        said += os.read(leader, 10_000)
    process.send_signal(2)
    try:
        while piece := os.read(leader, 10_000):
            said += piece
    except OSError:  # the process has gone
        pass
    assert process.wait() == 130
    assert b"####" in said
    assert re.search(rb"interrupted after epoch \d+; weights of epoch \d+, the best", said)
    weights = netspec.load_weights(output)
    kept = netspec.load_weights(state)
    np.testing.assert_array_equal(weights["dense1.weight"], kept["best/dense1.weight"])
