"""Processes that are run: what they say, how they end, and that nothing of them is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from netspec.processes import Runs, ending

SLEEPER = """
import os, sys, time
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(60)
"""
CALLER = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from netspec.processes import Runs, side_by_side, tidy

with tidy(), TemporaryDirectory(dir=".", prefix="own-") as folder:
    runs = Runs(Path(folder))
    side_by_side(lambda number: runs.run("sleeper", f"../{number}.pid"), [1, 2], runs.stop)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


KILLED = """
import os, signal, time
from netspec.processes import pool

if __name__ == "__main__":
    with pool(1, os.getpid) as executor:
        print(executor.submit(os.getpid).result(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.cpu_count() == 1, reason="two run side by side")
def test_what_is_told_to_end_leaves_nothing_behind(tmp_path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen([sys.executable, "-c", CALLER], cwd=tmp_path, env=environment) as caller:
        places = [tmp_path / f"{number}.pid" for number in (1, 2)]
        until = time.monotonic() + 60
        while not all(place.exists() and place.read_text() for place in places):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert len([*tmp_path.glob("own-*")]) == 1
        caller.send_signal(signal.SIGTERM)
    assert caller.returncode == 128 + signal.SIGTERM
    assert not [*tmp_path.glob("own-*")]
    assert not any(is_alive(int(place.read_text())) for place in places)


def test_a_pool_ends_with_a_process_that_is_killed(tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    done = subprocess.run(
        [sys.executable, "killed.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    until = time.monotonic() + 30
    while is_alive(int(done.stdout)):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_run_tells_how_it_ended(tmp_path):
    code, words = Runs(tmp_path).run("no_such_module")
    assert (ending(code), "No module named" in words) == ("exit status 1", True)
    with pytest.raises(subprocess.TimeoutExpired):
        Runs(tmp_path).run("timeit", "-n", "1000000000", limit=0.5)
    assert ending(-signal.SIGKILL) == "killed by SIGKILL"
    assert ending(-50) == "killed by signal 50"  # which has no name
