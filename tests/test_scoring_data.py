"""Scoring data of every kind, and what it says of data that is wrong."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from graphs import graph_of
from PIL import Image
from test_scoring import (
    MODEL,
    ROWS,
    SMALL,
    WANTED,
    X,
    check_all,
    ids_of,
    lists,
    numbers,
    result,
    write_parquet,
)

import netspec
from netspec.arrays import load_arrays
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.runtime import open_session
from netspec.scoring import Choices, Running, score, worker

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
    np.save(tmp_path / "x[1].npy", X[:50])
    for number, data in enumerate(("*.npy", "x[1].npy")):
        score(MODEL, [str(tmp_path / data)], tmp_path / f"out{number}", None, SMALL)
        found = result(tmp_path / f"out{number}")
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


def test_a_file_that_is_damaged_or_changes_is_told(tmp_path, monkeypatch):
    """Found by the worker, since the plan is made before; some of the part is written by then."""
    monkeypatch.setattr(worker, "HELD", 1)
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


@pytest.mark.parametrize("place", [45, 6], ids=["damaged", "encrypted"])
def test_an_archive_that_cannot_be_read_is_told(tmp_path, place):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, input=X[:3])
    content = bytearray(path.read_bytes())
    if place == 6:  # the flag, in both headers
        content[place] |= 1
        content[content.find(b"PK\1\2") + 8] |= 1
    else:
        content[place : place + 15] = b"\xff" * 15
    path.write_bytes(content)
    for read in (load_arrays, lambda paths: score(MODEL, paths, tmp_path / "out")):
        with pytest.raises(SpecError) as error:
            read([str(path)])
        assert ids_of(error) == ["bad-array-file"]


def test_rows_of_npz_arrays_must_agree(tmp_path):
    np.savez(tmp_path / "x.npz", input=X[:3], y=np.arange(4))
    with pytest.raises(SpecError) as error:
        score(MODEL, [str(tmp_path / "x.npz")], tmp_path / "out", Choices(keys=("y",)))
    assert ids_of(error) == ["unequal-inputs"]


def test_a_token_that_the_network_does_not_know_is_told(tmp_path):
    model = netspec.compile(graph_of("input 3 dtype=int -> embed 5 4"), target="onnx").content
    np.save(tmp_path / "x.npy", np.full((2, 3), 7))
    with pytest.raises(SpecError) as error:
        score(model, [str(tmp_path / "x.npy")], tmp_path / "out")
    assert ids_of(error) == ["failed-run"]
