"""Tables and folders of pictures as data: which cells are taken, which classes they name, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from graphs import graph_of
from PIL import Image

from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.intake import Pictures
from netspec.labelled import Reading
from netspec.quantization.data import load_both
from netspec.render import render
from netspec.training import Recipe, load_data
from netspec.training.script import write_script
from netspec.training.task import plan

ROWS = "a,b,kind\n1,2,owl\n3,4.5,cat\n-5,6e1,owl\n"


def table(folder, text, name="d.csv"):
    (folder / name).write_text(text)
    return str(folder / name)


def pictures(folder, classes, size=(4, 4)):
    """A grey picture of 40 times its number for each class, and one of 40 more."""
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for bright in (0, 1):
            Image.new("L", size, 40 * (number + bright)).save(folder / name / f"{bright}.png")
    return str(folder)


def refusal(call):
    with pytest.raises(SpecError) as caught:
        call()
    return render(caught.value.diagnostics)


@pytest.mark.parametrize(
    ("text", "x", "y", "classes"),
    [
        (ROWS, [[1, 2], [3, 4.5], [-5, 60]], [1, 0, 1], ("cat", "owl")),
        (ROWS.replace(",", ";"), [[1, 2], [3, 4.5], [-5, 60]], [1, 0, 1], ("cat", "owl")),
        ("5.1,1,owl\n4.9,2,cat\n", [[5.1, 1], [4.9, 2]], [1, 0], ("cat", "owl")),
        (",a,kind\n0,7,x\n1,8,y\n", [[7], [8]], [0, 1], ("x", "y")),
        ("a,price\n1,2.0\n2,3\n", [[1], [2]], [2, 3], ()),
        ("a,price\n1,2.5\n2,3\n", [[1], [2]], [2.5, 3], ()),
        ("a,b,kind\n1,2,1_1\n3,4,1_0\n", [[1, 2], [3, 4]], [1, 0], ("1_0", "1_1")),
    ],
)
def test_a_table_ends_in_its_labels(tmp_path, text, x, y, classes):
    data = load_data(table(tmp_path, text))
    assert data.train.x["x"].tolist() == x
    assert data.train.y.tolist() == y
    assert data.train.y.dtype == (float if isinstance(y[0], float) else np.int64)
    assert data.classes == classes


def test_columns_are_chosen_and_fill_the_input(tmp_path):
    path = table(tmp_path, "kind,a,b,c,d,e\n7,1,2,3,4,5\n8,6,7,8,9,0\n")
    reading = Reading(columns=("d", "a", "b", "e"), label="kind")
    data = load_data(path, {"image": (1, 2, 2)}, reading)
    assert data.train.x["x"].tolist() == [[[[4, 1], [2, 5]]], [[[9, 6], [7, 0]]]]
    assert data.train.y.tolist() == [7, 8]


def test_parquet_has_columns_of_numbers_or_of_lists(tmp_path):
    path = str(tmp_path / "d.parquet")
    held = {"pixels": [[1, 2, 3, 4], [5, 6, 7, 8]], "kind": ["owl", "cat"], "a": [1.0, None]}
    pq.write_table(pa.table(held), path)
    data = load_data(path, {"x": (1, 2, 2)}, Reading(("pixels",), "kind"))
    assert data.train.x["x"].tolist() == [[[[1, 2], [3, 4]]], [[[5, 6], [7, 8]]]]
    assert (data.train.y.tolist(), data.classes) == ([1, 0], ("cat", "owl"))
    said = refusal(lambda: load_data(path, reading=Reading(("a",), "kind")))
    assert "the column `a` of" in said
    assert "missing values, the first in row 1" in said


@pytest.mark.parametrize(
    ("text", "reading", "words"),
    [
        ("a,b,k\n1,2,x\n1,,x\n", {}, "d.csv:3: a cell is empty (column `b`)"),
        ("a,b,k\n1,2,x\n1,no,x\n", {}, "d.csv:3: `no` is no number (column `b`)"),
        ("1,2,x\n1,no,x\n", {}, "d.csv:2: `no` is no number (column 2)"),
        ("a,b,k\n1,2,x\n\n1,inf,x\n", {}, "d.csv:4: column `b` holds inf"),
        ("a,b,k\n1,2,x\n1,2, \n", {}, "d.csv:3: a cell is empty (column `k`)"),
        ("a,k\n1,1\n1,2\n1,?\n", {}, "d.csv:4: the label `?` is no number"),
        ("a,k\n1,1\n1,nan\n", {}, "d.csv:3: column `k` holds nan"),
        ("a,a,k\n1,2,3\n", {}, "has 2 columns `a`"),
        ("a,b,k\n1,2,x\n", {"label": "c"}, "has no column `c`"),
        ("a,b,k\n1,2,x\n", {"label": "a", "columns": ("a",)}, "has no column beside its labels"),
        ("a,b,k\n1,2,x\n", {"columns": ("a", "k")}, "the column `k` has the labels"),
        ("k\nx\n", {}, "has no column beside its labels"),
        ("a,k\n", {}, "has no rows"),
        ('a,k\n1,"x\ny"\n', {}, "has several lines"),
    ],
)
def test_cells_that_cannot_be_learned_from(tmp_path, text, reading, words):
    path = table(tmp_path, text)
    assert words in refusal(lambda: load_data(path, reading=Reading(**reading)))


def test_a_folder_has_tables_by_part(tmp_path):
    table(tmp_path, ROWS, "train.csv")
    table(tmp_path, "kind,b,id,a\nowl,2,9,1\n", "test.csv")
    table(tmp_path, "what,ever\n", "sample_submission.csv")
    data = load_data(tmp_path)
    assert data.test.x["x"].tolist() == [[1, 2]]
    assert data.test.y.tolist() == [1]
    table(tmp_path, "a,b,kind\n1,2,bat\n", "test.csv")
    assert "has the class `bat`, which is not learned from" in refusal(lambda: load_data(tmp_path))
    table(tmp_path, "a,b\n1,2\n", "test.csv")
    assert "train.csv` leaves it out" in refusal(lambda: load_data(tmp_path))
    table(tmp_path, "a,b,kind\n1,2,3\n", "test.csv")
    assert "words, but numbers in its part `test`" in refusal(lambda: load_data(tmp_path))
    table(tmp_path, "1,2,owl,3\n4,5,cat,6\n", "test.csv")
    assert "names no columns" in refusal(lambda: load_data(tmp_path))


def test_a_folder_has_a_folder_of_pictures_for_each_class(tmp_path):
    names = ["10", "9", "2"]
    for part in ("train", "validation"):
        pictures(tmp_path / part, names)
    (tmp_path / "train" / ".cache").mkdir()
    wanted, raw = {"input": (1, 4, 4)}, Reading(pictures=Pictures(scale=1))
    data = load_data(tmp_path, wanted, raw)
    assert data.classes == ("2", "9", "10")
    assert data.train.x["x"].shape == (6, 1, 4, 4)
    found = zip(data.train.x["x"][:, 0, 0, 0].tolist(), data.train.y.tolist(), strict=True)
    assert list(found) == [(0, 2), (40, 2), (80, 0), (120, 0), (40, 1), (80, 1)]
    assert np.array_equal(data.val.y, data.train.y)
    assert data.test is None
    alone = load_data(tmp_path / "train", wanted, raw)
    assert np.array_equal(alone.train.x["x"], data.train.x["x"])
    small = load_data(
        tmp_path / "train", {"x": (3, 2, 2)}, Reading(pictures=Pictures(resize="crop"))
    )
    assert small.train.x["x"].shape == (6, 3, 2, 2)
    assert small.train.x["x"].max() == pytest.approx(120 / 255)


def test_folders_that_cannot_be_learned_from(tmp_path):
    wanted = {"input": (1, 4, 4)}

    def said(path=tmp_path, **reading):
        return refusal(lambda: load_data(path, wanted, Reading(**reading)))

    assert "no picture is in" in said()
    pictures(tmp_path, ["ant", "bee"])
    assert "has no table to learn from" in said(label="kind")
    (tmp_path / "cat").mkdir()
    assert f"no picture is in {tmp_path / 'cat'}" in said()
    (tmp_path / "cat" / "x.png").write_text("none")
    assert f"cannot read {tmp_path / 'cat' / 'x.png'}" in said()
    (tmp_path / "cat" / "inner").mkdir()
    assert "is a folder in the folder of a class" in said()
    assert "is in the folder of no class" in said(tmp_path / "bee")
    (tmp_path / "train" / "ant").mkdir(parents=True)
    (tmp_path / "val" / "ant").mkdir(parents=True)
    (tmp_path / "valid" / "ant").mkdir(parents=True)
    assert "which of them is the validation part" in said()
    assert "is no file or folder, nor a bundled set" in said("digit")
    (tmp_path / "d.txt").write_text("1,2")
    assert "give a .npz file, a table" in said(tmp_path / "d.txt")
    two = {"a": (1,), "b": (1,)}
    assert "feeds one input" in refusal(lambda: load_data(table(tmp_path, ROWS), two))


@pytest.mark.parametrize(
    ("text", "loss", "words"),
    [
        ("input 2 -> dense 3", None, "the data have 2 classes (cat, owl), and the network tells 3"),
        ("input 2 -> dense 2", "mse", "mse takes numbers in the shape of the result"),
        ("input 2 -> dense 2", "bce", "bce takes numbers in the shape of the result"),
        ("input 2 -> dense 2", None, None),
        ("input 2 -> dense 1", None, None),
    ],
)
def test_named_classes_are_those_of_the_network(tmp_path, text, loss, words):
    data = load_data(table(tmp_path, ROWS))
    graph, recipe = graph_of(text), Recipe(loss=loss)
    if words is None:
        plan(graph, data, recipe)
    else:
        assert words in refusal(lambda: plan(graph, data, recipe))


def test_quantize_takes_data_with_their_labels(tmp_path):
    graph = graph_of("input 1 4 4 -> dense 2")
    for part in ("train", "test"):
        pictures(tmp_path / part, ["ant", "bee"])
    train, test = load_both(graph, [str(tmp_path)])
    assert train.labels.tolist() == test.labels.tolist() == [0, 0, 1, 1]
    flat, other = load_both(graph, [str(tmp_path / "train" / "bee")], [str(tmp_path)])
    assert (flat.labels, flat.examples, other.labels.tolist()) == (None, 2, [0, 0, 1, 1])
    with pytest.raises(SpecError, match="has labels of its own"):
        load_both(graph, [str(tmp_path)], labels="x.npz:y")
    with pytest.raises(SpecError, match="the data have 2 classes"):
        load_both(graph_of("input 1 4 4 -> dense 3"), [str(tmp_path)])
    graph = graph_of("input 2 -> dense 2")
    path = table(tmp_path, ROWS)
    other = table(tmp_path, "a,b,kind\n1,2,owl\n", "e.csv")  # has no cat, and an owl is still 1
    train, test = load_both(graph, [path], [other])
    assert (train.labels.tolist(), test.labels.tolist()) == ([1, 0, 1], [1])
    inputs = table(tmp_path, "a,b\n1,2\n", "inputs.csv")
    assert load_both(graph, [inputs])[0].labels is None
    assert load_both(graph, [path], reading=Reading(("a", "b")))[0].labels is None


def test_names_of_classes_come_out_for_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path, "a,b,kind\n1,-1,owl\n-1,1,cat\n2,-1,owl\n")
    Path("n.net").write_text("input 2 -> dense 2")

    def netspec(*words):
        done = CliRunner().invoke(main, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done

    done = netspec("train", "n.net", "--data", "d.csv", "--lr", "0.1", "-o", "w.safetensors")
    assert "classes: 0 cat, 1 owl" in done.stderr
    assert Path("w.labels.txt").read_text() == "cat\nowl\n"
    taken = ["--weights", "w.safetensors", "--input", "d.csv", "--columns", "a,b"]
    done = netspec("run", "n.net", *taken, "--top-k", "1", "--labels", "w.labels.txt")
    assert [line.split()[1] for line in done.stdout.splitlines()[:3]] == ["owl", "cat", "owl"]
    data = load_data("d.csv")
    paths = write_script("go.py", graph_of("input 2 -> dense 2"), data, Recipe())
    assert paths == ["go.py", "go_network.py", "go.npz", "go.labels.txt"]


@pytest.mark.parametrize("name", ["go", "go.npz", "torch.py", "json.py", "2.py", 'a"b.py'])
def test_names_of_scripts_that_python_would_mistake(name, tmp_path):
    data = load_data(table(tmp_path, ROWS))
    graph = graph_of("input 2 -> dense 2")
    told = refusal(lambda: write_script(tmp_path / name, graph, data, Recipe()))
    assert "bad-script-name" in told
