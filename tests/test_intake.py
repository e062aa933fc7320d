"""What `run` takes: pictures and tables as arrays, batches in parts, the best classes, where the time went."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from graphs import chain
from onnx import TensorProto, helper
from PIL import Image

from netspec.backend import load_backend
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.intake import Pictures, load_inputs
from netspec.profiling import profile_table, read_profile
from netspec.ranking import ranking, softmax
from netspec.runtime import open_session
from netspec.weights import random_weights

IMAGE = {"input": (3, 4, 6)}
RAW = Pictures(scale=1)


@pytest.fixture
def pixels(tmp_path):
    """Two pictures of 4 x 6, and their arrays."""
    arrays = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 6), dtype=np.uint8)
    for name, array in zip("ab", arrays, strict=True):
        Image.fromarray(array.transpose(1, 2, 0)).save(tmp_path / f"{name}.png")
    return arrays


def mistake(call):
    with pytest.raises(SpecError) as caught:
        call()
    (found,) = caught.value.diagnostics
    return found.id, found.message


def test_pictures_are_one_batch_and_name_its_rows(tmp_path, pixels):
    files = [str(tmp_path / f"{name}.png") for name in "ab"]
    for paths in (files, [str(tmp_path)]):
        found, rows = load_inputs(paths, IMAGE, RAW)
        np.testing.assert_array_equal(found, pixels.astype(np.float32))
        assert rows == files
    found, _ = load_inputs([f"input={files[1]}"], IMAGE)
    assert found["input"].dtype == np.float32
    np.testing.assert_allclose(found["input"], pixels[1:] / 255, rtol=1e-6)


def test_pixels_are_scaled_and_normalised_by_channel(tmp_path, pixels):
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    found, _ = load_inputs([str(tmp_path / "a.png")], IMAGE, Pictures(1 / 255, mean, std))
    wanted = (pixels[:1] / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    for bad in (Pictures(mean=(1.0, 2.0)), Pictures(std=(0.0,))):
        assert (
            mistake(lambda bad=bad: load_inputs([str(tmp_path)], IMAGE, bad))[0]
            == "bad-normalisation"
        )


@pytest.mark.usefixtures("pixels")
def test_a_picture_of_another_size_is_resized_only_where_that_is_asked(tmp_path):
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    image.paste((0, 0, 255), (10, 0, 30, 20))
    image.save(tmp_path / "wide.png")
    wanted, wide = {"input": (3, 10, 10)}, str(tmp_path / "wide.png")
    id_, message = mistake(lambda: load_inputs([wide], wanted))
    assert (id_, message.endswith("wide.png is 20 x 40, not 10 x 10 (height x width)")) == (
        "wrong-input-size",
        True,
    )
    whole, _ = load_inputs([wide], wanted, RAW._replace(resize="stretch"))
    assert whole[0, 0, 0, 0] == 255
    assert whole[0, 2, 5, 5] == 255
    middle, _ = load_inputs([wide], wanted, RAW._replace(resize="crop"))
    np.testing.assert_array_equal(middle[0, 2, :, 1:-1], np.full((10, 8), 255))
    assert mistake(lambda: load_inputs([str(tmp_path)], None))[0] == "wrong-input-size"
    assert mistake(lambda: load_inputs([wide], {"input": (5,)}))[0] == "wrong-input-rank"
    free = {"input": (3, None, "W")}
    assert load_inputs([wide], free)[0].shape == (1, 3, 20, 40)
    assert (
        mistake(lambda: load_inputs([wide], free, Pictures(resize="crop")))[0] == "wrong-input-size"
    )


def test_grey_and_turned_pictures(tmp_path):
    image = Image.new("L", (6, 4), 7)
    exif = image.getexif()
    exif[0x0112] = 6  # a quarter turn
    image.save(tmp_path / "a.jpg", exif=exif)
    assert load_inputs([str(tmp_path / "a.jpg")], {"x": (1, 6, 4)}, RAW)[0].shape == (1, 1, 6, 4)
    Image.fromarray(np.full((6, 4), 30_000, np.uint16)).save(tmp_path / "deep.png")
    found = mistake(lambda: load_inputs([str(tmp_path / "deep.png")], {"x": (1, 6, 4)}))
    assert found == (
        "unreadable-file",
        f"cannot read {tmp_path}/deep.png: its pixels have more than 8 bits (I;16)",
    )
    (tmp_path / "b.png").write_bytes(b"none")
    assert mistake(lambda: load_inputs([str(tmp_path / "b.png")], IMAGE))[0] == "unreadable-file"


def test_a_tables_rows_are_examples(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,label,c\n1,2,cat,3\n\n4,5,dog,6\n")
    found, rows = load_inputs([str(path)], {"x": (1, 3)}, columns=("c", "a", "b"))
    assert found.dtype == np.int64
    assert found.tolist() == [[[3, 1, 2]], [[6, 4, 5]]]
    assert rows == ["0", "1"]
    (tmp_path / "b.tsv").write_text("1.5\t-2e3\n")
    assert load_inputs([f"x={tmp_path / 'b.tsv'}"], {"x": (2,)})[0]["x"].tolist() == [[1.5, -2000]]
    assert load_inputs([str(tmp_path / "b.tsv")], None)[0].shape == (1, 2)
    path.write_text("a,b\n1,inf\n1e300,4,\n")
    assert load_inputs([str(path)], {"x": (2,)})[0].tolist() == [[1, float("inf")], [1e300, 4]]


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("a,b\n1,x\n", (), "a.csv:2: `x` is no number"),
        ("a,b\n1,2\n3\n", (), "a.csv:3: the line has 1 columns, not 2"),
        ("a,b\n1,2,\n3,4,5\n", ("b",), "a.csv:3: the line has 3 columns, not 2"),
        ("a,b\n1,2\n", ("c",), "has no column `c`"),
        ("1,2\n", ("a",), "names no columns"),
        ("\n", (), "has no rows"),
        ("1,2,3\n", (), "has 3 columns of numbers, and the input takes 2"),
        ("1,nan\n1,\0\n", (), "is no number"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, text, columns, words):
    (tmp_path / "a.csv").write_text(text)
    path = str(tmp_path / "a.csv")
    assert words in mistake(lambda: load_inputs([path], {"x": (2,)}, columns=columns))[1]


def test_files_of_several_inputs_have_names(tmp_path, pixels):
    np.save(tmp_path / "n.npy", np.arange(6.0).reshape(2, 3))
    paths = [
        f"image={tmp_path / 'a.png'}",
        f"image={tmp_path / 'b.png'}",
        f"x={tmp_path / 'n.npy'}",
    ]
    found, rows = load_inputs(paths, {"image": (3, 4, 6), "x": (3,)}, RAW)
    assert found["x"].shape == (2, 3)
    np.testing.assert_array_equal(found["image"], pixels)
    assert rows == [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    paths[0] = str(tmp_path / "a.png")
    assert (
        mistake(lambda: load_inputs(paths, {"image": (3, 4, 6), "x": (3,)}))[0] == "unnamed-array"
    )
    assert mistake(lambda: load_inputs([f"y={tmp_path}"], {"x": (3,)}))[0] == "unknown-input"
    assert mistake(lambda: load_inputs([paths[2], paths[2]], {"x": (3,)}))[0] == "duplicate-name"


def test_a_path_may_look_like_a_name_and_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("lr=0.1").mkdir()
    np.save("lr=0.1/x.npy", np.zeros((2, 3)))
    for path in ("lr=0.1/x.npy", "x=lr=0.1/x.npy"):
        found, _ = load_inputs([path], {"x": (3,)})
        assert np.shape(found if path[0] == "l" else found["x"]) == (2, 3)


# ---- batches ----

GRAPH = chain("input 3 8 8", "conv 4 3", "bn", "relu", "pool 2", "dense 5")


@pytest.fixture(scope="module")
def model():
    return load_backend("onnx").emit(GRAPH, random_weights(GRAPH))


@pytest.mark.parametrize("batch", [1, 3, 7, 50])
def test_rows_run_in_parts(model, batch):
    x = np.random.default_rng(0).normal(size=(7, 3, 8, 8)).astype("f4")
    session = open_session(model)
    np.testing.assert_allclose(session.run(x, batch)["output"], session.run(x)["output"], atol=1e-6)
    assert session.run(x[:0], batch)["output"].shape == (0, 5)


def fixed(op, shape):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"])], "g", [value], [result])
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, ir_version=8, opset_imports=opset).SerializeToString()


def test_a_model_of_a_fixed_batch_gets_its_last_part_filled_up():
    x = np.arange(14, dtype="f4").reshape(7, 2)
    session = open_session(fixed("Neg", (3, 2)))
    np.testing.assert_array_equal(session.run(x, 3)["y"], -x)
    for batch in (None, 2):
        with pytest.raises(SpecError, match="wrong-input-size"):
            session.run(x, batch)


def test_a_single_number_has_no_rows():
    assert open_session(fixed("Neg", ())).run(np.float32(3), 2)["y"] == -3


def test_results_that_are_not_by_row_are_not_joined():
    session = open_session(fixed("ReduceSum", ("N", 2)))
    with pytest.raises(SpecError, match="has not one value for each row"):
        session.run(np.ones((4, 2), "f4"), 2)


# ---- classes and profiles ----


def test_the_best_classes_are_named():
    scores = np.array([[0.1, 0.7, 0.2], [3.0, 3.0, 1.0]])
    assert ranking(scores, "y", 2, ["a", "long"], ["ant", "bee", "cat"]).splitlines() == [
        "a     bee 0.7000, cat 0.2000",
        "long  ant 3.0000, bee 3.0000",
    ]
    whole = np.array([[0, 200, 100]], np.uint8)
    assert ranking(whole, "y", 2, ["a"]) == "a  1 200.0000, 2 100.0000"
    assert softmax(whole, "y").argmax() == 1
    assert mistake(lambda: ranking(scores, "y", 1, "ab", ["x"]))[0] == "unfit-labels"
    assert mistake(lambda: ranking(scores[0], "y", 1, "abc"))[0] == "not-by-row"


def test_a_profile_is_summed_by_node_and_op(tmp_path):
    events = [
        {"cat": "Session", "name": "model_run", "dur": 900, "args": {}},
        *(
            {"cat": "Node", "name": f"{name}_kernel_time", "dur": dur, "args": {"op_name": op}}
            for name, op, dur in (
                ("a", "Conv", 30),
                ("b", "Conv", 50),
                ("r", "Relu", 10),
                ("a", "Conv", 10),
            )
        ),
        {"cat": "Node", "name": "a_fence_before", "dur": 5, "args": {"op_name": "Conv"}},
    ]
    (tmp_path / "p.json").write_text(json.dumps(events))
    found = read_profile(tmp_path / "p.json")
    assert found.microseconds == 100
    assert found.nodes == [("b", "Conv", 1, 50), ("a", "Conv", 2, 40), ("r", "Relu", 1, 10)]
    assert found.ops == [("Conv", "Conv", 3, 90), ("Relu", "Relu", 1, 10)]
    assert [line.split() for line in profile_table(found, 1).splitlines()] == [
        ["0.100", "ms", "in", "3", "nodes"],
        [],
        ["node", "op", "calls", "ms", "share"],
        ["b", "Conv", "1", "0.050", "50.0%"],
        ["and", "2", "more,", "0.050", "ms"],
        [],
        ["op", "calls", "ms", "share"],
        ["Conv", "3", "0.090", "90.0%"],
        ["and", "1", "more,", "0.010", "ms"],
    ]


def test_a_profile_leaves_no_file(tmp_path, monkeypatch, model):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for x in (np.zeros((1, 3, 8, 8), "f4"), np.zeros((1, 3, 8), "f4")):
        session = open_session(model, profile=True)
        with suppress(SpecError):
            session.run(x)
            assert session.end_profile().nodes
        assert len(list(tmp_path.iterdir())) == 1
        del session
        assert not list(tmp_path.iterdir())


def test_run_shows_classes_of_pictures_and_the_profile(tmp_path):
    (tmp_path / "n.net").write_text("input 1 8 8 -> rescale 1/255 -> conv 2 3 -> relu -> dense 3")
    (tmp_path / "labels.txt").write_text("ant\nbee\ncat\n")
    images = tmp_path / "images"
    images.mkdir()
    for value in (0, 255):
        Image.new("L", (8, 8), value).save(images / f"{value}.png")
    arguments = [
        "run",
        str(tmp_path / "n.net"),
        "--input",
        str(images),
        "--top-k",
        "2",
        "--softmax",
    ]
    arguments += ["--labels", str(tmp_path / "labels.txt"), "--profile", "--batch", "1"]
    arguments += ["-o", str(tmp_path / "y.npy")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{images / '0.png'}    ")
    assert all(word in "ant bee cat" for word in (lines[0].split()[1], lines[1].split()[1]))
    assert "dense1" in result.stdout
    assert "Gemm" in result.stdout
    np.save(
        tmp_path / "x.npy",
        np.array([0, 255], "f4").reshape(2, 1, 1, 1) * np.ones((1, 1, 8, 8), "f4"),
    )
    again = ["run", str(tmp_path / "n.net"), "--input", str(tmp_path / "x.npy"), "--softmax"]
    CliRunner().invoke(main, [*again, "-o", str(tmp_path / "z.npy")], catch_exceptions=False)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), np.load(tmp_path / "z.npy"), atol=1e-6)
