"""Scoring datasets: every row once whatever dies, with what it says of wrong data. One process, several, and Ray."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from graphs import graph_of

import netspec
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.runtime import open_session
from netspec.scoring import Choices, Running, local, ray_engine, score
from netspec.scoring.batches import Reading
from netspec.scoring.parquet_files import cut, read
from netspec.scoring.worker import Settings

ROWS = 230
X = np.random.default_rng(0).normal(size=(ROWS, 1, 4, 4)).astype(np.float32)
IMAGE = graph_of("input 1 4 4 -> conv 3 3 -> relu -> dense 5")
MODEL = netspec.compile(IMAGE, target="onnx").content
WANTED = open_session(MODEL).run(X)["output"]
SMALL = Running(batch=8, part_rows=20)


def lists(array):
    flat = pa.array(array.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(array.shape[1:])))


def write_parquet(folder, files=3, group=50, column="input"):
    """All rows, with a key `id`, in some files."""
    folder.mkdir(exist_ok=True)
    for number, rows in enumerate(np.array_split(np.arange(ROWS), files)):
        table = pa.table({"id": rows, "name": list(map(str, rows)), column: lists(X[rows])})
        pq.write_table(table, folder / f"data-{number}.parquet", row_group_size=group)
    return str(folder)


def result(folder):
    return pa.concat_tables(pq.read_table(part) for part in sorted(folder.glob("part-*.parquet")))


def numbers(column):
    return np.array(column.to_pylist(), np.float32)


def check_all(folder, limit=1e-6):
    """Every row of the dataset once, in order, with what it gives alone."""
    found = result(folder)
    assert found["id"].to_pylist() == list(range(ROWS))
    np.testing.assert_allclose(numbers(found["output"]), WANTED, rtol=limit, atol=limit)
    return found


def ids_of(error):
    return [diagnostic.id for diagnostic in error.value.diagnostics]


def test_parquet_in_this_process(tmp_path):
    data, told = write_parquet(tmp_path), []
    keys = Choices(keys=("id", "name"))
    done = score(MODEL, [data], tmp_path / "out", keys, SMALL, lambda *now: told.append(now))
    found = check_all(tmp_path / "out")
    assert found.column_names == ["source", "row", "id", "name", "output"]
    assert found.schema.field("output").metadata == {b"netspec.sizes": b"5"}
    assert found["name"].to_pylist() == [str(number) for number in range(ROWS)]
    assert found["source"][0].as_py().endswith("data-0.parquet")
    assert found["row"].to_pylist()[:78] == [*range(77), 0]
    assert (done.rows, done.scored, done.engine, done.workers) == (ROWS, ROWS, "local", 1)
    assert told[0] == (0, ROWS)
    assert told[-1] == (ROWS, ROWS)
    again = score(MODEL, [data], tmp_path / "out", keys, SMALL)
    assert again.scored == 0
    assert {path.name[:5] for path in (tmp_path / "out").iterdir()} == {"part-", "_plan", "_mode"}


def test_a_worker_that_is_killed_loses_no_row(tmp_path):
    data, killed = write_parquet(tmp_path / "data"), []

    def watch(done, _total):
        if done and not killed:
            killed.append(multiprocessing.active_children()[0])
            killed[0].kill()

    running = SMALL._replace(workers=2, engine="local")
    done = score(MODEL, [data], tmp_path / "out", Choices(keys=("id",)), running, watch)
    assert killed
    assert done.workers == 2
    check_all(tmp_path / "out")


def test_workers_that_die_at_once_end_the_job(tmp_path, monkeypatch):
    data, begun = write_parquet(tmp_path / "data"), []

    def dies(_folder, numbers, *_):
        begun.append(numbers)
        yield from [(numbers[0], 20)] if len(begun) == 2 else []  # which is progress
        raise BrokenProcessPool

    monkeypatch.setattr(local, "_pooled", dies)
    running = SMALL._replace(workers=2, engine="local")
    with pytest.raises(SpecError, match="3 times in a row a worker died"):
        score(MODEL, [data], tmp_path / "out", Choices(), running)
    assert [len(numbers) for numbers in begun] == [15, 15, 14, 14]


def test_a_job_that_was_killed_goes_on_and_repeats_nothing(tmp_path):
    data, model, out = write_parquet(tmp_path / "data"), tmp_path / "m.onnx", tmp_path / "out"
    model.write_bytes(MODEL)
    options = ["score", str(model), "--input", data, "--key", "id", "-o", str(out)]
    options += ["--batch", "1", "--part-rows", "10"]
    process = subprocess.Popen([sys.executable, "-m", "netspec", *options], stderr=subprocess.PIPE)
    while not list(out.glob("part-*")):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.communicate()
    (out / ".part-000009.parquet.half").write_bytes(b"half a part")
    before = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert 0 < len(before) < 24
    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert done.exit_code == 0
    assert f"of {ROWS} rows were done before" in done.output
    check_all(out)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert not list(out.glob(".*"))


def test_what_is_wrong_with_a_shard_comes_back_from_ray(tmp_path):
    """What it makes of an exception would be no diagnostic."""
    data = write_parquet(tmp_path / "data")
    score(MODEL, [data], tmp_path / "out", Choices(keys=("id",)), SMALL)
    (tmp_path / "out" / "part-000003.parquet").unlink()
    (tmp_path / "data" / "data-0.parquet").write_bytes(b"PAR1")
    good, bad = (
        ray_engine._score({"shard": number}, str(tmp_path / "out"), Settings(8))
        for number in (2, 3)
    )
    assert ray_engine._outcome(good) == (2, 10)  # the end of a row group of 50
    with pytest.raises(SpecError, match=r"cannot read .*data-0\.parquet"):
        ray_engine._outcome(bad)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_gives_what_one_process_gives(tmp_path):
    """Two of its workers, of which one is killed."""
    data, killed = write_parquet(tmp_path / "data"), []

    def watch(done, _total):
        for each in psutil.Process().children(recursive=True):
            if done and not killed and "ray::Map" in " ".join(each.cmdline()):
                killed.append(each)
                each.kill()

    running = SMALL._replace(workers=2, engine="ray")
    score(MODEL, [data], tmp_path / "out", Choices(keys=("id",)), running, watch)
    assert killed
    check_all(tmp_path / "out")


@pytest.mark.parametrize("groups", [[7], [3, 3, 3], [1, 20, 2], [40], [5, 1, 1, 1, 30]])
@pytest.mark.parametrize("rows", [1, 4, 7, 100])
def test_shards_hold_every_row_once(tmp_path, groups, rows):
    path, total = str(tmp_path / "data.parquet"), sum(groups)
    with pq.ParquetWriter(path, pa.schema({"x": pa.int64()})) as writer:
        for start, size in zip(np.cumsum([0, *groups]), groups, strict=False):
            writer.write_table(pa.table({"x": np.arange(start, start + size)}))
    reading = Reading({"x": ()}, {}, (), batch=3, scale=1)
    shards = list(cut([path], rows, reading))
    assert all(shard.rows <= rows for shard in shards)
    batches = [list(read(shard, reading)) for shard in shards]
    assert [sum(len(b.rows) for b in each) for each in batches] == [s.rows for s in shards]
    flat = [batch for each in batches for batch in each]
    assert np.concatenate([batch.inputs["x"] for batch in flat]).tolist() == list(range(total))
    assert [row for batch in flat for row in batch.rows.to_pylist()] == list(range(total))


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    data, out = write_parquet(tmp_path / "data"), tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(SpecError, match="holds files, and no job"):
        score(MODEL, [data], out)
    (out / "notes.txt").unlink()
    score(MODEL, [data], out)
    other = netspec.compile(IMAGE, target="onnx", seed=1).content
    with pytest.raises(SpecError, match="with another model"):
        score(other, [data], out)
    with pytest.raises(SpecError, match="with other options"):
        score(MODEL, [data], out, Choices(softmax=True))
    with pytest.raises(SpecError, match="with other parts"):
        score(MODEL, [data], out, None, Running(part_rows=1))
    pq.write_table(result(out).slice(0, 1), out / "part-000000.parquet")
    with pytest.raises(SpecError, match="holds 1 rows instead of 77"):
        score(MODEL, [data], out)


def test_a_folder_that_another_run_holds_is_left_alone(tmp_path):
    data = write_parquet(tmp_path / "data")

    def watch(*_):
        with pytest.raises(SpecError, match="another run is at work"):
            score(MODEL, [data], tmp_path / "out")

    score(MODEL, [data], tmp_path / "out", watch=watch)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    data = write_parquet(tmp_path / "data")
    (tmp_path / "file").touch()
    with pytest.raises(SpecError, match="cannot write to"):
        score(MODEL, [data], tmp_path / "file" / "out")
