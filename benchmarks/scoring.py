"""Scores a million digits with `netspec score`, kills a worker midway, and counts every row of the result.

    python benchmarks/scoring.py --rows 1000000 --workers 2 --engine ray --kill

Prints rows/s and the largest resident memory of each kind of process. Needs the extras `scale` and `bench`, and
scikit-learn for the digits. Raises where a row is lost, is there twice, or has another result than alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits

import netspec
from netspec.runtime import open_session

FILE_ROWS = 50_000


def write_digits(folder: Path, rows: int) -> np.ndarray:
    """The 1797 digits, repeated, as Parquet files of a column `input` and a key `id`; returns the digits."""
    digits = (load_digits().images / 16).astype(np.float32)
    for start in range(0, rows, FILE_ROWS):
        numbers = np.arange(start, min(start + FILE_ROWS, rows))
        pixels = digits[numbers % len(digits)].reshape(-1)
        columns = {
            "id": pa.array(numbers),
            "input": pa.FixedSizeListArray.from_arrays(pa.array(pixels), 64),
        }
        name = folder / f"digits-{start // FILE_ROWS:03d}.parquet"
        pq.write_table(pa.table(columns), name, row_group_size=10_000)
    return digits


def watch(
    process: subprocess.Popen[bytes], kill: bool, output: Path
) -> tuple[dict[str, int], float]:
    """The largest resident memory of each kind of process, and the processor time of all, in seconds.

    Kills a worker once, midway.
    """
    largest = Counter[str]()
    spent: dict[int, float] = {}
    root = psutil.Process(process.pid)
    while process.poll() is None:
        workers = []
        for each in [root, *root.children(recursive=True)]:
            try:
                words = " ".join(each.cmdline())
                kind = "command" if each == root else _kind(words)
                largest[kind] = max(largest[kind], each.memory_info().rss)
                spent[each.pid] = sum(each.cpu_times()[:2])
                if kind == "worker" and each.cpu_times().user > 1:
                    workers.append(each)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        if kill and workers and len(list(output.glob("part-*.parquet"))) >= 10:
            workers[0].kill()
            print(f"killed worker {workers[0].pid}")
            kill = False
        time.sleep(0.05)
    assert not kill, "the job was over before a worker could be killed"
    return dict(largest), sum(spent.values())


def _kind(words: str) -> str:
    if "ray::" in words:
        return "worker" if "ray::Map" in words else "ray"
    if "spawn_main" in words:
        return "worker"
    return "ray" if "ray" in words else "helper"


def check(output: Path, rows: int, digits: np.ndarray, model: bytes) -> None:
    """Every row once, and each with the result that its digit has alone."""
    wanted = open_session(model).run({"input": digits[:, None]})["output"]
    seen = np.zeros(rows, np.int64)
    for part in sorted(output.glob("part-*.parquet")):
        table = pq.read_table(part)
        numbers = table["id"].to_numpy()
        np.add.at(seen, numbers, 1)
        found = table["output"].combine_chunks().flatten().to_numpy().reshape(len(numbers), -1)
        np.testing.assert_allclose(found, wanted[numbers % len(digits)], rtol=1e-4, atol=1e-5)
    assert (seen == 1).all(), (int((seen == 0).sum()), int((seen > 1).sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", choices=["local", "ray"], default="ray")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--spec", default="examples/n2.net")
    parser.add_argument("--kill", action="store_true", help="kill a worker after ten parts")
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        folder, output = Path(place, "data"), Path(place, "out")
        folder.mkdir()
        digits = write_digits(folder, options.rows)
        graph = netspec.load(options.spec, input_shape=(1, 8, 8))
        model = netspec.compile(graph, target="onnx").content
        Path(place, "digits.onnx").write_bytes(model)
        command = [sys.executable, "-m", "netspec", "score", f"{place}/digits.onnx"]
        command += ["--input", str(folder), "--key", "id", "-o", str(output)]
        command += ["--engine", options.engine, "--workers", str(options.workers)]
        began = time.monotonic()
        process = subprocess.Popen([*command, "--batch", str(options.batch)])
        largest, spent = watch(process, options.kill, output)
        seconds = time.monotonic() - began
        assert process.returncode == 0, process.returncode
        check(output, options.rows, digits, model)
    print(f"{options.rows:,} rows in {seconds:.1f} s, {options.rows / seconds:,.0f} rows/s")
    print(f"{spent:.1f} s of processor time, {options.rows / spent:,.0f} rows/s of it")
    for kind, size in sorted(largest.items()):
        print(f"largest {kind}: {size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
