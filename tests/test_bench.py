"""`netspec bench`: turns and ratios, who is timed and who is not, reports and pictures. No test asserts a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from netspec.bench import picture, runtimes
from netspec.bench.pairing import Spread, ratios, take_turns
from netspec.bench.race import race
from netspec.bench.report import Report, duration
from netspec.bench.workers import Entrant
from netspec.cli import main

SPEC = """
net small {
  @left = input 2 6 6
  @right = input 4
  @left -> conv 3 3 -> bn -> relu -> gap -> concat { @ | @right } -> dense 5
}
"""


@pytest.fixture
def run(tmp_path):
    spec = tmp_path / "small.net"
    spec.write_text(SPEC)

    def invoke(*arguments, path=spec, code=0):
        result = CliRunner().invoke(main, ["bench", str(path), *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result

    return invoke


def test_turns_cancel_what_drifts():
    """Times that grow with the clock leave the ratios what they are, whoever goes first."""
    clock, order = iter(range(1, 1000)), []

    def taking(name, factor):
        def run():
            order.append(name)
            return factor * 1.05 ** next(clock)

        return run

    rounds = list(take_turns([taking("a", 1), taking("b", 2), taking("c", 4)], 30))
    assert len(order) == 90
    assert {tuple(order[i : i + 3]) for i in range(0, 90, 3)} >= {("a", "b", "c"), ("c", "b", "a")}
    assert sorted(order[::3].count(name) for name in "abc") == [10, 10, 10]
    assert ratios(rounds, 0) == Spread(1, 1, 1)
    assert ratios(rounds, 1).median == pytest.approx(2, rel=0.06)
    assert ratios(rounds, 2).median == pytest.approx(4, rel=0.06)
    assert ratios(rounds, 2, base=1).median == pytest.approx(2, rel=0.06)
    assert Spread.of([3]) == Spread(3, 3, 3)


def test_only_what_is_right_is_timed():
    entrants = [
        Entrant(name, "timed_engines", name, Path("model"))
        for name in ("wrong", "right", "crash", "refusal")
    ]
    feeds = {batch: {"x": np.arange(batch, dtype=np.float32)} for batch in (1, 3)}
    heard = []

    def judge(name, batch, answer):
        right = np.array_equal(answer["y"], 2 * feeds[batch]["x"])
        return None if right else f"{name} is wrong"

    found = race(entrants, feeds, judge=judge, rounds=3, progress=heard.append)
    assert [(row.name, row.batch) for row in found.rows] == [("right", 1), ("right", 3)]
    assert all(0 < row.seconds.low <= row.seconds.median for row in found.rows)
    faults = {fault.name: fault for fault in found.faults}
    assert faults["wrong"].reason == "at batch 3, wrong is wrong"  # 3 * 0 is 2 * 0
    assert faults["refusal"].reason == "not today"
    assert faults["crash"].reason == "its process ended (killed by SIGABRT)"
    assert "these are my last words" in faults["crash"].stderr
    assert "batch 3: round 3 of 3" in heard


@pytest.mark.slow
def test_every_framework_is_timed_and_drawn(run, tmp_path):
    names = ("ort", "torch-channels-last", "keras", "ort-optimized", "torch-export-ort")
    chosen = [word for name in names for word in ("--runtime", name)]
    drawn = tmp_path / "small.svg"
    options = ("--batch", 1, "--batch", 3, "--rounds", 2, "--format", "json", "-o", drawn)
    report = json.loads(run(*chosen, *options).stdout)
    assert report["passed"]
    assert [(row["runtime"], row["batch"]) for row in report["rows"]] == [
        (name, batch) for batch in (1, 3) for name in names
    ]
    assert all(row["seconds"]["median"] > 0 for row in report["rows"])
    assert report["rows"][0]["ratio"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert {"torch", "keras", "onnxruntime"} <= report["versions"].keys()
    assert all(name in drawn.read_text() for name in ("<svg", "batch 3"))


def test_a_table_says_what_was_left_out(run, monkeypatch):
    there = runtimes.find_spec
    monkeypatch.setattr(
        runtimes,
        "find_spec",
        lambda name: None if name in ("torch", "keras", "openvino") else there(name),
    )
    text = run("--rounds", "1", "--threads", "2", "--clock", "processor").stdout
    assert "small: inference on 2 threads, 1 round, processor time\n" in text
    assert "batch 1, ratios to ort" in text
    assert "openvino is left out: the package `openvino` is not installed" in text
    assert "missing-package" in run("--runtime", "torch", code=1).output


def test_what_cannot_be_timed_is_told(run, tmp_path, monkeypatch):
    assert "did you mean `ort`" in run("--runtime", "orr", code=1).output
    assert "bad-picture" in run("-o", tmp_path / "small.gif", code=1).output
    assert "unknown-open-size" in run("--size", "T=3", code=1).output
    assert "is no size" in run("--size", "T", code=2).output
    tokens = tmp_path / "tokens.net"
    tokens.write_text("input ?T 4 -> dense 3\n")
    assert "say what to time it with: --size T=128" in run(path=tokens, code=1).output
    refused = run("--size", "T=5", "--runtime", "torch-channels-last", path=tokens, code=1)
    assert "the network has no images" in refused.output
    monkeypatch.setattr(runtimes.shutil, "which", lambda _: None)
    assert "missing-compiler" in run("--runtime", "torch-compile", code=1).output


def test_durations_have_three_digits():
    words = [duration(seconds) for seconds in (1.234, 0.01234, 0.4, 2.5e-5, 3e-8)]
    assert words == ["1.23 s", "12.3 ms", "400 ms", "25.0 us", "0.03 us"]


def test_a_picture_of_nothing_is_drawn():
    """Where every runtime is wrong there is nothing to show, and that is no reason to crash."""
    empty = Report("small", "f", 1, 1, "wall", (), (), (), "a machine", {})
    assert picture.draw(empty, "svg") == picture.draw(empty, "svg")
    assert not empty.passed
