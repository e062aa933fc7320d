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
from PIL import Image

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


PAIR = graph_of("@a = input 3\n@b = input 2\nconcat { @a | @b } -> dense 2")


def test_npz_feeds_several_inputs(tmp_path):
    draws = np.random.default_rng(0)
    arrays = {"a": draws.normal(size=(30, 3)), "b": draws.integers(0, 9, (30, 2), np.int8)}
    np.savez_compressed(tmp_path / "data.npz", **arrays, y=np.arange(30), classes=np.arange(3))
    model = netspec.compile(PAIR, target="onnx").content
    wanted = open_session(model).run(arrays)["output"]
    choices = Choices(keys=("y",))
    score(model, [str(tmp_path / "data.npz")], tmp_path / "out", choices, SMALL)
    found = result(tmp_path / "out")
    np.testing.assert_allclose(numbers(found["output"]), wanted, rtol=1e-5, atol=1e-6)
    assert found["y"].to_pylist() == list(range(30))


def test_npy_feeds_the_only_input(tmp_path):
    np.save(tmp_path / "x.npy", X[:50])
    score(MODEL, [str(tmp_path / "*.npy")], tmp_path / "out", None, SMALL)
    found = result(tmp_path / "out")
    np.testing.assert_allclose(numbers(found["output"]), WANTED[:50], rtol=1e-5, atol=1e-6)


def test_images_feed_their_pixels(tmp_path):
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 4, 4), np.uint8)
    names = [f"more/{n:02d}.png" if n % 2 else f"{n:02d}.png" for n in range(12)]
    for name, values in zip(names, pixels, strict=True):
        Image.fromarray(values).save(folder / name)
    score(MODEL, [str(folder)], tmp_path / "out", None, Running(batch=5, part_rows=7))
    found = result(tmp_path / "out")
    wanted = open_session(MODEL).run(pixels[:, None].astype(np.float32) / 255)["output"]
    order = [str(folder / name) for name in names]
    places = [order.index(path) for path in found["source"].to_pylist()]
    assert sorted(places) == list(range(12))
    np.testing.assert_allclose(numbers(found["output"]), wanted[places], rtol=1e-5, atol=1e-6)


def test_columns_of_numbers_make_a_vector(tmp_path):
    table = pa.table({"width": [1.0, 2, 3], "height": [4, 5, 6], "note": ["a", "b", "c"]})
    pq.write_table(table, tmp_path / "x.parquet")
    model = netspec.compile(graph_of("input 2 -> dense 2"), target="onnx").content
    wanted = open_session(model).run(np.array([[1, 4], [2, 5], [3, 6]], np.float32))["output"]
    choices = Choices(columns={"input": ("width", "height")}, keys=("note",))
    score(model, [str(tmp_path / "x.parquet")], tmp_path / "out", choices)
    np.testing.assert_allclose(numbers(result(tmp_path / "out")["output"]), wanted, rtol=1e-5)


@pytest.mark.parametrize("kind", ["list", "large", "nested", "tensor"])
def test_lists_of_every_kind_are_read(tmp_path, kind):
    if kind == "tensor":
        column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(X[:30]))
    elif kind == "nested":
        column = pa.array(X[:30].tolist(), pa.list_(pa.list_(pa.list_(pa.float32()))))
    else:
        make = pa.large_list if kind == "large" else pa.list_
        column = pa.array(X[:30].reshape(30, -1).tolist(), make(pa.float32()))
    pq.write_table(pa.table({"pixels": column}), tmp_path / "x.parquet", row_group_size=7)
    score(MODEL, [str(tmp_path / "x.parquet")], tmp_path / "out", None, SMALL)
    found = numbers(result(tmp_path / "out")["output"])
    np.testing.assert_allclose(found, WANTED[:30], rtol=1e-5, atol=1e-6)


def test_a_model_of_a_fixed_batch_is_given_it(tmp_path):
    import onnx

    model = onnx.load_from_string(MODEL)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.type.tensor_type.shape.dim[0].dim_value = 7
    data = write_parquet(tmp_path / "data")
    fixed = model.SerializeToString()
    score(fixed, [data], tmp_path / "out", Choices(keys=("id",)), SMALL)
    check_all(tmp_path / "out", 1e-5)


def test_the_command_gives_the_best_classes(tmp_path):
    data, labels, out = write_parquet(tmp_path / "data"), tmp_path / "labels", tmp_path / "out"
    labels.write_text("ant\nbee\ncat\ndog\nelk\n")
    (tmp_path / "m.net").write_text("input 1 4 4 -> conv 3 3 -> relu -> dense 5")
    options = ["--top-k", "2", "--softmax", "--labels", str(labels), "-o", str(out)]
    command = ["score", str(tmp_path / "m.net"), "--input", f"{data}/*.parquet", *options]
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"scored {ROWS} of {ROWS} rows" in done.output
    found = result(out)
    assert found.column_names[2:] == ["output_class", "output_score", "output_label"]
    powers = np.exp(WANTED)
    chances = powers / powers.sum(1, keepdims=True)
    best = np.argsort(-chances, axis=1)[:, :2]
    assert found["output_class"].to_pylist() == best.tolist()
    wanted = np.take_along_axis(chances, best, 1)
    np.testing.assert_allclose(numbers(found["output_score"]), wanted, rtol=1e-5)
    words = labels.read_text().split()
    assert found["output_label"][0].as_py() == [words[place] for place in best[0]]


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    ragged = pa.array([[1.0], [1.0, 2.0]])
    columns = {"input": lists(X[:2]), "ragged": ragged, "gap": [1.0, None], "word": ["a", "b"]}
    pq.write_table(pa.table(columns), folder / "x.parquet")
    return str(folder / "x.parquet")


WRONG = {
    "a column that is not there": ("missing-column", {"columns": {"input": ("inptu",)}}),
    "a key that is not there": ("missing-column", {"keys": ("id",)}),
    "an input that is not there": ("unknown-input", {"columns": {"imput": ("input",)}}),
    "lists of several lengths": ("unfit-column", {"columns": {"input": ("ragged",)}}),
    "a gap": ("unfit-column", {"columns": {"input": ("gap",)}}),
    "words": ("unfit-column", {"columns": {"input": ("word",)}}),
    "lists among numbers": ("unfit-column", {"columns": {"input": ("ragged", "gap")}}),
    "another number of labels": ("unfit-labels", {"top": 1, "labels": ("a", "b")}),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_wrong_columns_are_told(parquet, tmp_path, case):
    wanted, choices = WRONG[case]
    with pytest.raises(SpecError) as error:
        score(MODEL, [parquet], tmp_path / "out", Choices(**choices), SMALL)
    assert ids_of(error) == [wanted]
    assert not list((tmp_path / "out").glob("part-*"))


def test_a_file_that_is_damaged_or_changes_is_told(tmp_path):
    """Found by the worker, since the plan is made before."""
    one = write_parquet(tmp_path / "data", files=1, group=20)
    path, npy = tmp_path / "data" / "data-0.parquet", tmp_path / "x.npy"
    np.save(npy, X)
    content = path.read_bytes()

    def changed(file, new):
        return lambda *_: file.write_bytes(new) if isinstance(new, bytes) else new()

    def fewer():
        pq.write_table(pq.read_table(path).slice(0, 30), path, row_group_size=2)

    ids = Choices(keys=("id",))
    cases = [
        ("changed-data", [one], ids, changed(path, fewer)),
        (
            "unreadable-file",
            [one],
            ids,
            changed(path, content[:2000] + bytes(4000) + content[6000:]),
        ),
        ("unreadable-file", [str(npy)], None, changed(npy, npy.read_bytes()[:9000])),
    ]
    for number, (wanted, data, choices, damage) in enumerate(cases):
        path.write_bytes(content)
        with pytest.raises(SpecError) as error:
            score(MODEL, data, tmp_path / f"out{number}", choices, SMALL, damage)
        assert ids_of(error) == [wanted]
    assert not list(tmp_path.glob("out*/.part*"))


def test_data_that_is_not_there_or_of_two_kinds_is_told(parquet, tmp_path):
    np.save(tmp_path / "x.npy", X[:2])
    wrong = {
        "no-data": [[str(tmp_path / "*.parquet")], [str(tmp_path / "x.csv")]],
        "mixed-data": [[parquet, str(tmp_path / "x.npy")]],
        "unreadable-file": [[str(tmp_path / "y.npy")]],
    }
    for wanted, several in wrong.items():
        for data in several:
            with pytest.raises(SpecError) as error:
                score(MODEL, data, tmp_path / "out")
            assert ids_of(error) == [wanted]


def test_a_folder_with_something_else_is_left_alone(parquet, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(SpecError, match="holds files, and no job"):
        score(MODEL, [parquet], out)
    (out / "notes.txt").unlink()
    score(MODEL, [parquet], out)
    other = netspec.compile(IMAGE, target="onnx", seed=1).content
    with pytest.raises(SpecError, match="with another model"):
        score(other, [parquet], out)
    with pytest.raises(SpecError, match="with other options"):
        score(MODEL, [parquet], out, Choices(softmax=True))
    with pytest.raises(SpecError, match="with other parts"):
        score(MODEL, [parquet], out, None, Running(part_rows=1))
    pq.write_table(result(out).slice(0, 1), out / "part-000000.parquet")
    with pytest.raises(SpecError, match="holds 1 rows instead of 2"):
        score(MODEL, [parquet], out)


def test_a_folder_that_another_run_holds_is_left_alone(parquet, tmp_path):
    def watch(*_):
        with pytest.raises(SpecError, match="another run is at work"):
            score(MODEL, [parquet], tmp_path / "out")

    score(MODEL, [parquet], tmp_path / "out", watch=watch)


def test_a_folder_that_cannot_be_made_is_told(parquet, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SpecError, match="cannot write to"):
        score(MODEL, [parquet], tmp_path / "file" / "out")


def test_a_result_without_a_value_for_each_row_is_refused(parquet, tmp_path):
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, 4, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("ReduceMean", ["input"], ["y"], keepdims=0)
    graph = helper.make_graph([node], "g", [x], [y])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 20)])
    with pytest.raises(SpecError) as error:
        score(model.SerializeToString(), [parquet], tmp_path / "out")
    assert ids_of(error) == ["not-by-row"]


def test_rows_of_npz_arrays_must_agree(tmp_path):
    np.savez(tmp_path / "x.npz", input=X[:3], y=np.arange(4))
    with pytest.raises(SpecError) as error:
        score(MODEL, [str(tmp_path / "x.npz")], tmp_path / "out", Choices(keys=("y",)))
    assert ids_of(error) == ["unequal-inputs"]
