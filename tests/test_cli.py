"""The command line: what it writes where, exit codes, and that nothing is left half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy
from click.testing import CliRunner

import netspec
from netspec.cli import main
from netspec.weights import dump_weights, init_weights, load_weights

N2 = "examples/n2.net"
LINE = "conv 32 3 -> bn -> relu -> pool 2 -> dense 128 -> dropout 0.5"


@pytest.fixture
def run():
    """Run a command; `code` is the exit code that it must end with."""

    def invoke(*arguments, code=0, stdin=None):
        result = CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.mark.parametrize("target", ["torch", "keras", "onnx", "ir"])
def test_stdout_is_the_product_and_nothing_else(run, target):
    result = run("compile", "-", "-t", target, "--input", "3x32x32", stdin=LINE)
    graph = netspec.parse(LINE, name="<stdin>", input_shape=(3, 32, 32))
    assert result.stdout_bytes == netspec.compile(graph, target=target).content
    assert result.stderr == ""


def test_settings_and_sizes_reach_the_net(run):
    text = run(
        "compile", N2, "-t", "torch", "--set", "classes=3", "--set", "rate=0.25", "--input", "1x8x8"
    ).stdout
    assert "nn.Linear(128, 3)" in text
    assert "nn.Dropout(0.25)" in text
    assert "nn.Linear(512, 128)" in text


def test_a_size_may_be_known_only_at_run_time(run, tmp_path):
    spec = "conv 8 3 stride=2 -> relu -> gap -> dense 4"
    text = run("summary", "-", "--input", "3x?Hx?", stdin=spec).stdout
    assert "8 x (H + 1)//2 - 1 x (_1 + 1)//2 - 1" in text
    (tmp_path / "n.net").write_text(f"input 3 ?H 2*?W\n{spec}")
    outputs = []
    for name, sizes, code in (
        ("a", (9, 8), 0),
        ("b", (5, 14), 0),
        ("odd", (9, 7), 1),
        ("low", (2, 8), 1),
    ):
        np.save(tmp_path / f"{name}.npy", np.ones((2, 3, *sizes), "f4"))
        result = run("run", tmp_path / "n.net", "--input", tmp_path / f"{name}.npy", code=code)
        outputs.append(result.stderr if code else result.stdout)
    assert outputs[0].startswith("output: 2 x 4 float32")
    assert outputs[1].startswith("output: 2 x 4 float32")
    assert "7 is not `2*W` for any W of 1 or more" in outputs[2]
    assert "error[impossible-size]: `n` cannot take H = 2, W = 4, because of `conv1`" in outputs[3]


@pytest.mark.parametrize("word", ["3x?x", "?1", "3x?a b", "x?", "1x2x3x4x?", "3x?_T"])
def test_what_is_no_size_is_not_taken(run, word):
    assert "is no shape" in run("check", N2, "--input", word, code=2).stderr


def test_a_source_target_writes_its_weights_beside_it(run, tmp_path):
    graph = netspec.load(N2)
    run("compile", N2, "-t", "torch", "--seed", 4, "-o", tmp_path / "n2.py")
    assert (tmp_path / "n2.py").read_bytes() == netspec.compile(graph, target="torch").content
    found = load_weights(tmp_path / "n2.safetensors")
    for name, array in init_weights(graph, 4).items():
        np.testing.assert_array_equal(found[name], array)


def test_folding_changes_source_and_weights_alike(run, tmp_path):
    run("weights", "init", N2, "-o", tmp_path / "w.safetensors")
    run(
        "compile",
        N2,
        "-t",
        "torch",
        "--fold-bn",
        "--weights",
        tmp_path / "w.safetensors",
        "-o",
        tmp_path / "f.py",
    )
    assert "BatchNorm" not in (tmp_path / "f.py").read_text()
    assert not any(name.startswith("bn") for name in load_weights(tmp_path / "f.safetensors"))


def test_weights_init_is_the_seeds(run, tmp_path):
    run("weights", "init", N2, "--seed", 7, "-o", tmp_path / "a.safetensors")
    graph = netspec.load(N2)
    assert (tmp_path / "a.safetensors").read_bytes() == dump_weights(init_weights(graph, 7), graph)
    assert list(safetensors.numpy.load_file(tmp_path / "a.safetensors").keys())


def test_an_onnx_file_runs(run, tmp_path):
    run("compile", N2, "-t", "onnx", "--opset", 17, "-o", tmp_path / "n2.onnx")
    assert onnx.load(tmp_path / "n2.onnx").opset_import[0].version == 17
    x = np.random.default_rng(0).normal(size=(3, 1, 28, 28)).astype("f4")
    np.save(tmp_path / "x.npy", x)
    run("run", tmp_path / "n2.onnx", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    result = run("run", N2, "--input", tmp_path / "x.npy", "-o", tmp_path / "z.npz")
    assert result.stderr == "ran on cpu\n"
    np.testing.assert_allclose(
        np.load(tmp_path / "y.npy"), np.load(tmp_path / "z.npz")["output"], rtol=1e-5
    )


def test_a_spec_without_an_input_takes_the_arrays_shape(run, tmp_path):
    (tmp_path / "line.net").write_text(LINE)
    np.savez(tmp_path / "x.npz", input=np.zeros((2, 3, 32, 32), "f4"))
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 32, 32), "f4"))
    assert (
        "output: 2 x 128" in run("run", tmp_path / "line.net", "--input", tmp_path / "x.npy").stdout
    )
    assert (
        "no-input"
        in run("run", tmp_path / "line.net", "--input", tmp_path / "x.npz", code=1).stderr
    )


def test_summary_counts(run):
    table = run("summary", N2).stdout
    assert "804,682" in table
    data = json.loads(run("summary", N2, "--format", "json").stdout)
    assert (data["trainable"], data["fixed"], data["macs"]) == (804_618, 64, 1_054_976)
    assert [row["name"] for row in data["rows"]][:3] == ["input", "conv1", "bn1"]


def test_check_says_what_is_wrong(run, tmp_path):
    assert run("check", N2).stdout == "n2: 10 nodes, output 10\n"
    (tmp_path / "bad.net").write_text("input 1 8 8\ncovn 4 3 -> dense 0\n")
    result = run("check", tmp_path / "bad.net", code=1)
    assert "error[unknown-op]" in result.stderr
    assert "did you mean `conv`?" in result.stderr
    assert "error[bad-argument]" in result.stderr
    data = json.loads(run("check", tmp_path / "bad.net", "--format", "json", code=1).stdout)
    assert not data["ok"]
    assert [each["id"] for each in data["diagnostics"]] == ["unknown-op", "bad-argument"]


def test_print_shows_the_graph(run):
    assert run("print", N2).stdout.startswith("graph n2\n  %input")


def test_schema_prints_the_schema(run):
    assert run("schema").stdout == Path("docs/graph.schema.json").read_text()


def test_ir_can_be_compiled_again(run, tmp_path):
    run("compile", N2, "-t", "ir", "-o", tmp_path / "n2.json")
    again = run("compile", tmp_path / "n2.json", "-t", "torch").stdout
    assert again == netspec.compile(netspec.load(N2), target="torch").text


BAD_INPUT = {
    "unknown op": ("input 3\ncovn 4", "unknown-op"),
    "unknown argument": ("input 3\ndense 4 unist=3", "unknown-argument"),
    "wrong shape": ("input 1 8 8\nconv 4 9", "window-too-large"),
    "missing bracket": ("net n { input 3 -> dense 2", "unclosed-bracket"),
    "negative number": ("input 3\ndense -4", "bad-argument"),
    "huge number": ("input 3\ndense 99999999999999999999999", "bad-argument"),
    "huge product": ("input 99999\ndense 2000000000", "too-large"),
    "missing input": ("dense 3", "no-input"),
    "nothing at all": ("", None),
    "not text": ("\x00\x01\x02", None),
}


@pytest.mark.parametrize("target", ["torch", "onnx"])
@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_specs_are_diagnostics_and_write_nothing(run, tmp_path, case, target):
    text, id_ = BAD_INPUT[case]
    (tmp_path / "bad.net").write_text(text)
    out = tmp_path / "out"
    out.mkdir()
    result = run("compile", tmp_path / "bad.net", "-t", target, "-o", out / "model", code=1)
    assert f"error[{id_ or ''}" in result.stderr
    assert result.stdout == ""
    assert list(out.iterdir()) == []


def test_files_that_cannot_be_read(run, tmp_path):
    assert "unreadable-file" in run("check", tmp_path / "none.net", code=1).stderr
    assert "unreadable-file" in run("summary", tmp_path, code=1).stderr
    (tmp_path / "latin.net").write_bytes(b"# caf\xe9\n")
    assert "not-utf8" in run("check", tmp_path / "latin.net", code=1).stderr
    (tmp_path / "big.net").write_bytes(b"#" * (5 << 20))
    assert "source-too-large" in run("check", tmp_path / "big.net", code=1).stderr
    (tmp_path / "bad.json").write_text("{")
    assert "bad-graph" in run("check", tmp_path / "bad.json", code=1).stderr


def test_weights_that_do_not_fit_are_all_listed(run, tmp_path):
    graph = netspec.load(N2)
    weights = init_weights(graph)
    weights["extra.weight"] = weights.pop("bn1.weight")
    weights["dense2.bias"] = weights["dense2.bias"][:3]
    safetensors.numpy.save_file(weights, tmp_path / "w.safetensors")
    result = run(
        "compile",
        N2,
        "-t",
        "onnx",
        "--weights",
        tmp_path / "w.safetensors",
        "-o",
        tmp_path / "m",
        code=1,
    )
    for words in (
        "missing-weight",
        "bn1.weight",
        "extra-weight",
        "misshapen-weight",
        "dense2.bias",
    ):
        assert words in result.stderr
    assert not (tmp_path / "m").exists()
    (tmp_path / "w.safetensors").write_bytes(b"no weights")
    result = run(
        "compile",
        N2,
        "-t",
        "onnx",
        "--weights",
        tmp_path / "w.safetensors",
        "-o",
        tmp_path / "m",
        code=1,
    )
    assert "bad-weight-file" in result.stderr


@pytest.mark.parametrize(
    ("content", "id_"),
    [
        (np.zeros((2, 3, 28, 28), "f4"), "wrong-input-size"),
        (np.zeros((28, 28), "f4"), "wrong-input-rank"),
        (np.full((1, 1, 28, 28), "x"), "wrong-input-type"),
        (None, "bad-array-file"),
    ],
)
def test_arrays_that_do_not_fit(run, tmp_path, content, id_):
    path = tmp_path / "x.npy"
    path.write_bytes(b"nonsense") if content is None else np.save(path, content)
    result = run("run", N2, "--input", path, "-o", tmp_path / "y.npy", code=1)
    assert f"error[{id_}]" in result.stderr
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", N2),
        ("compile", N2, "-t", "torch", "--input", "1,8,8"),
        ("compile", N2, "-t", "torch", "--opset", "20"),
        ("compile", N2, "-t", "torch", "--seed", "1"),
        ("compile", N2, "-t", "onnx", "--opset", "5", "-o", "x"),
        ("compile", N2, "-t", "onnx", "--seed", "1", "--weights", "w", "-o", "x"),
        ("nothing",),
        ("check", "--nothing"),
    ],
)
def test_a_wrong_command_line_exits_with_2(run, arguments):
    assert run(*arguments, code=2).stderr.startswith("Usage:")


def test_an_unknown_target_has_a_suggestion(run):
    assert "did you mean `torch`?" in run("compile", N2, "-t", "troch", code=1).stderr


def test_what_is_written_is_a_file(run, tmp_path):
    for path in (tmp_path, Path("/")):
        result = run("compile", N2, "-t", "torch", "--seed", 0, "-o", path, code=1)
        assert "unwritable-file" in result.stderr
    assert netspec.write(netspec.load(N2), tmp_path / "n2.json") == [str(tmp_path / "n2.json")]


def test_a_file_that_cannot_be_written_leaves_the_old_one(run, tmp_path):
    assert (
        "unwritable-file"
        in run("compile", N2, "-t", "torch", "-o", tmp_path / "no" / "m.py", code=1).stderr
    )
    (tmp_path / "folder").mkdir()
    assert (
        "unwritable-file"
        in run("compile", N2, "-t", "torch", "-o", tmp_path / "folder", code=1).stderr
    )
    (tmp_path / "m.py").write_text("old")
    run("compile", N2, "-t", "torch", "-o", tmp_path / "m.py")
    assert (tmp_path / "m.py").read_text() != "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "m.py"]


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("onnx", ("compile", N2, "-t", "onnx", "-o", "-")),
        ("numpy", ("weights", "init", N2, "-o", "unwritten.safetensors")),
        ("onnxruntime", ("run", N2, "--input", "unread.npy")),
    ],
)
def test_a_missing_package_is_named_with_its_command(package, arguments):
    code = f"import sys; sys.modules[{package!r}] = None\nfrom netspec.cli import main; main({arguments!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"error[missing-package]: this needs the package `{package}`" in done.stderr
    assert "pip install 'netspec-compiler[" in done.stderr


def test_cuda_is_strict(run, tmp_path):
    """Without CUDA, `cuda` says why and exits with 3; `auto` says what it took."""
    from netspec.runtime import ort

    np.save(tmp_path / "x.npy", np.zeros((1, 1, 28, 28), "f4"))
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA: the gpu tests run it")
    result = run("run", N2, "--input", tmp_path / "x.npy", "--provider", "cuda", code=3)
    assert "error[provider-unavailable]" in result.stderr
    assert "ort-gpu" in result.stderr
    result = run("run", N2, "--input", tmp_path / "x.npy", "--provider", "auto")
    assert result.stderr.startswith("ran on cpu (")


def test_an_unknown_target_is_told_of_all(run):
    assert (
        "targets are torch, keras, onnx, ir" in run("compile", N2, "--target", "c", code=1).stderr
    )


def test_limits_are_changed_by_name(run, tmp_path):
    path = tmp_path / "deep.net"
    path.write_text("input 8\nrepeat 12 { dense 8 }\n")
    refused = run("check", path, "--limit", "nodes=10", code=1).stderr
    assert "the limit `nodes` is 10" in refused
    assert "over-limit" in run("check", path, "--limit", "parameters=700", code=1).stderr
    for limit in ("errors=0", "digits=100000"):
        assert "bad-limit" in run("check", path, "--limit", limit, code=1).stderr
    assert "bad-limit" in run("check", path, "--limit", "nodes", code=1).stderr
    saved = tmp_path / "deep.json"
    run("compile", path, "--target", "ir", "-o", saved)
    assert "over-limit" in run("check", saved, "--limit", "activation_bytes=99", code=1).stderr
    run("check", saved, "--limit", "activation_bytes=1_000", "--limit", "parameters=1000")
