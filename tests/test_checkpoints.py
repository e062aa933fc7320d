"""Weights in files: bits survive, foreign layouts are read, bad files are refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from click.testing import CliRunner
from graphs import OPS_BY_EXAMPLE, chain, example_graph, graph_of, joined
from hypothesis import given, settings
from hypothesis import strategies as st

import netspec
from netspec.checkpoints.formats import load_matched, read_checkpoint
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.weights import dump_weights, load_weights, origin_of, random_weights
from netspec.writing import target_of, write

GRAPH = chain("input 3 8 8", "conv 4 3", "bn", "relu", "pool 2", "dense 5")

WEIGHTS = random_weights(GRAPH)

WEIGHTY = [
    graph for graph in (example_graph(*case) for case in OPS_BY_EXAMPLE) if [*graph.weights()]
]

ALL = joined(WEIGHTY)


def bits(graph, seed):
    """Any float32 numbers: NaNs with payloads, infinities, subnormals, zeros of either sign."""
    draws = np.random.default_rng(seed)
    return {
        name: draws.integers(0, 2**32, weight.shape, dtype=np.uint32).view(np.float32)
        for name, weight in graph.weights()
    }


def assert_same_bits(found, wanted):
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


def mistake(call):
    with pytest.raises(SpecError) as caught:
        call()
    return caught.value.diagnostics[0]


def save(path, content, **options):
    torch.save(content, path, **options)
    return str(path)


def state(weights=WEIGHTS, prefix=""):
    return {prefix + name: torch.from_numpy(array.copy()) for name, array in weights.items()}


# ---- round trips ----


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32))
@pytest.mark.parametrize("suffix", [".onnx", ".pt", ".safetensors"])
def test_the_weights_of_every_op_survive_any_file_bit_by_bit(tmp_path_factory, suffix, seed):
    path = tmp_path_factory.mktemp("files") / f"model{suffix}"
    weights = bits(ALL, seed)
    if suffix == ".safetensors":
        path.write_bytes(dump_weights(weights, ALL))
    else:
        write(ALL, str(path), weights=weights)
    assert_same_bits(load_matched(str(path), ALL).weights, weights)


def test_a_state_dict_is_the_emitted_modules(tmp_path):
    path = write(GRAPH, str(tmp_path / "a.pth"), weights=WEIGHTS)[0]
    module = netspec.build(GRAPH, target="torch", seed=1)
    module.load_state_dict(torch.load(path))
    assert_same_bits(netspec.get_weights(module, GRAPH, target="torch"), WEIGHTS)


PROGRAMS = graph_of(
    "input 3 ?H 2*?W -> conv 4 3 -> bn -> relu -> gap -> param_add: add { @ | param 4 }"
)


@pytest.mark.parametrize("suffix", [".pt2", ".ts"])
def test_a_program_runs_alone_with_any_batch_and_size(tmp_path, suffix):
    weights = random_weights(PROGRAMS)
    path = write(PROGRAMS, str(tmp_path / f"a{suffix}"), weights=weights)[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        program = torch.export.load(path).module() if suffix == ".pt2" else torch.jit.load(path)
    module = netspec.build(PROGRAMS, target="torch", weights=weights)
    for shape in ((1, 3, 5, 8), (7, 3, 12, 6)):
        x = torch.randn(shape)
        with torch.no_grad():
            torch.testing.assert_close(program(x), module(x))


def test_what_is_written_follows_the_name(tmp_path):
    assert [target_of(name, None) for name in ("a.b.onnx", "a.weights.h5", "a.pth", "a.json")] == [
        "onnx",
        "keras",
        "torch",
        "ir",
    ]
    assert target_of("a.py", "keras") == "keras"
    assert mistake(lambda: target_of("a.py", None)).id == "no-target-named"
    assert mistake(lambda: target_of("a.keras", "onnx")).id == "other-target"
    assert mistake(lambda: target_of("a.safetensors", "torch")).id == "other-target"
    files = write(GRAPH, str(tmp_path / "a.py"), target="torch", seed=0)
    assert [os.path.basename(file) for file in files] == ["a.py", "a.safetensors"]


# ---- PyTorch's checkpoints ----


@pytest.mark.parametrize(
    "content",
    [
        state(),
        state(prefix="module."),
        {"epoch": 3, "state_dict": state(prefix="model."), "loss": torch.ones(())},
        {
            "model": state(),
            "optimizer": {"state": {0: {"step": torch.ones(1)}}, "param_groups": []},
        },
        {**state(), "bn1.num_batches_tracked": torch.tensor(7)},
    ],
    ids=["plain", "module.", "nested", "with an optimizer", "counted batches"],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_as_people_save_them(tmp_path, content, zipped):
    path = save(tmp_path / "a.pt", content, _use_new_zipfile_serialization=zipped)
    assert_same_bits(load_matched(path, GRAPH).weights, WEIGHTS)


def test_one_of_several_state_dicts_is_chosen_and_never_guessed(tmp_path):
    other = {name: tensor + 1 for name, tensor in state().items()}
    path = save(tmp_path / "a.pt", {"model": state(), "ema": {"shadow": other}})
    found = mistake(lambda: read_checkpoint(path))
    assert found.id == "several-states"
    assert "`model`, `ema.shadow`" in found.message
    assert mistake(lambda: read_checkpoint(path, "emma")).id == "unknown-key"
    assert_same_bits(load_matched(path, GRAPH, key="model").weights, WEIGHTS)
    assert (read_checkpoint(path, "ema.shadow").tensors[1].array == WEIGHTS["conv1.bias"] + 1).all()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions(tmp_path, kind):
    content = {name: tensor.to(kind) for name, tensor in state().items()}
    wanted = {name: tensor.float().numpy() for name, tensor in content.items()}
    if kind == torch.float64:
        wanted = {name: tensor.numpy() for name, tensor in content.items()}
    safetensors.torch.save_file(content, tmp_path / "a.safetensors")
    for path in (save(tmp_path / "a.pt", content), str(tmp_path / "a.safetensors")):
        assert_same_bits(load_matched(path, GRAPH).weights, wanted)


def test_tensors_that_share_their_numbers_are_no_trick(tmp_path):
    whole = torch.arange(12.0)
    path = save(tmp_path / "a.pt", {"a": whole, "b": whole, "c": whole[2:6].view(2, 2).T})
    found = {each.name: each.array for each in read_checkpoint(path).tensors}
    assert found["a"].tolist() == found["b"].tolist() == list(range(12))
    assert found["c"].tolist() == [[2, 4], [3, 5]]


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def compressed(path):
    """The same archive, deflated."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return content.getvalue()


def test_what_would_run_code_or_grow_is_not_loaded(tmp_path):
    trap = str(tmp_path / "sprung")
    path = save(tmp_path / "a.pt", {"model": state(), "args": Trap(trap)})
    assert mistake(lambda: read_checkpoint(path)).id == "unsafe-file"
    (tmp_path / "b.pt").write_bytes(pickle.dumps({"model": Trap(trap)}))
    assert mistake(lambda: read_checkpoint(tmp_path / "b.pt")).id in (
        "unsafe-file",
        "bad-weight-file",
    )
    assert not os.path.exists(trap)
    (tmp_path / "c.pt").write_bytes(compressed(save(tmp_path / "a.pt", state())))
    assert mistake(lambda: read_checkpoint(tmp_path / "c.pt")).id == "unsafe-file"
    path = save(tmp_path / "d.pt", {"a": torch.ones(1).expand(2**40)})
    assert "larger than what it holds" in mistake(lambda: read_checkpoint(path)).message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "holds no state dict"),
        ({"a": torch.ones(2).to_sparse()}, "sparse"),
        ({"a": torch.ones(2, dtype=torch.float8_e4m3fn)}, "in a type that NumPy has not"),
    ],
)
def test_what_is_no_state_dict(tmp_path, content, words):
    path = save(tmp_path / "a.pt", content)
    found = mistake(lambda: read_checkpoint(path))
    assert (found.id, words in found.message) == ("bad-weight-file", True)


@pytest.mark.parametrize("suffix", [".pt", ".old.pt", ".onnx", ".safetensors", ".ts"])
def test_broken_files_are_named(tmp_path, suffix):
    """Cut anywhere, or with bytes changed: a diagnostic or, where the change is in the numbers, numbers."""
    path = tmp_path / f"a{suffix}"
    if suffix == ".safetensors":
        path.write_bytes(dump_weights(WEIGHTS, GRAPH))
    elif suffix == ".old.pt":
        save(path, state(), _use_new_zipfile_serialization=False)
    else:
        write(GRAPH, str(path), weights=WEIGHTS)
    whole = path.read_bytes()
    draws = np.random.default_rng(0)
    refused = []
    for place in (*draws.integers(1, len(whole), 12), 1, 8, len(whole) - 1):
        changed = bytearray(whole)
        changed[place] ^= int(draws.integers(1, 256))
        for content in (whole[:place], bytes(changed)):
            path.write_bytes(content)
            try:
                read_checkpoint(path)
            except SpecError as error:
                refused += [each.id for each in error.diagnostics]
    assert len(refused) >= 12
    assert set(refused) <= {"bad-weight-file", "unsafe-file"}


def test_files_that_are_not_there_or_are_something_else(tmp_path):
    assert mistake(lambda: read_checkpoint(tmp_path / "none.pt")).id == "unreadable-file"
    assert mistake(lambda: read_checkpoint(tmp_path)).id == "unreadable-file"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "none")
    assert "neither" in mistake(lambda: read_checkpoint(tmp_path / "a.zip")).message
    path = tmp_path / "a.safetensors"
    path.write_bytes(dump_weights(WEIGHTS, GRAPH))
    assert mistake(lambda: read_checkpoint(path, "model")).id == "unknown-key"


@pytest.mark.parametrize("said", ["none", "[1]", "5", '{"name": 7}'])
def test_what_a_file_says_of_its_spec_need_not_be_true(tmp_path, said):
    safetensors.numpy.save_file(
        {"a": np.ones(2, "f4")}, tmp_path / "a.safetensors", {"netspec": said}
    )
    about = read_checkpoint(tmp_path / "a.safetensors").about
    assert about == ({"name": "7"} if "name" in said else {})


# ---- the commands ----


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command beside a spec; `code` is the exit code that it must end with."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n.net").write_text("input 3 8 8 -> conv 4 3 -> bn -> relu -> pool 2 -> dense 5")

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return invoke


def test_weights_go_from_file_to_file(run):
    run("compile", "n.net", "-o", "a.onnx", "--seed", 3)
    result = run("weights", "convert", "n.net", "--from", "a.onnx", "--to", "b.pt", "--report")
    assert re.search(r"^conv1\.weight +4 x 3 x 3 x 3 +conv1\.weight +name$", result.stderr, re.M)
    run("weights", "convert", "n.net", "--from", "b.pt", "--to", "c.safetensors")
    run("weights", "init", "n.net", "--seed", 3, "-o", "d.safetensors")
    assert Path("c.safetensors").read_bytes() == Path("d.safetensors").read_bytes()
    assert run("weights", "diff", "a.onnx", "d.safetensors").stdout == "8 of 8 tensors are equal\n"
    assert (
        run("compile", "n.net", "-t", "onnx", "--weights", "b.pt").stdout_bytes
        == Path("a.onnx").read_bytes()
    )
    run("weights", "convert", "n.net", "--from", "b.pt", "--to", "e.py", code=1)
    run("weights", "convert", "n.net", "--from", "b.pt", "--to", "e.json", code=2)
    refused = run(
        "weights",
        "convert",
        "n.net",
        "--from",
        "b.pt",
        "--to",
        "e.pt",
        "--flatten",
        "channels-last",
        code=1,
    )
    assert "unknown-order" in refused.stderr
    assert not any(Path(name).exists() for name in ("e.py", "e.json", "e.pt"))


def test_weights_are_shown_compared_and_averaged(run):
    for seed in (0, 1):
        run("weights", "init", "n.net", "--seed", seed, "-o", f"{seed}.safetensors")
    shown = run("weights", "inspect", "0.safetensors").stdout
    assert "safetensors: 8 tensors, 313 numbers, 1,252 bytes" in shown
    assert "written for n (" in shown
    data = json.loads(run("weights", "inspect", "0.safetensors", "--format", "json").stdout)
    assert data["sha256"] in shown
    differing = run("weights", "diff", "0.safetensors", "1.safetensors", code=1).stdout
    assert differing.endswith("4 of 8 tensors are equal\n")
    run("weights", "diff", "0.safetensors", "1.safetensors", "--tolerance", 1)
    found = run(
        "weights",
        "diff",
        "0.safetensors",
        "1.safetensors",
        "--spec",
        "n.net",
        "--format",
        "json",
        code=1,
    )
    assert not json.loads(found.stdout)["equal"]
    said = run("weights", "average", "0.safetensors", "1.safetensors", "-o", "mean.safetensors")
    assert "averaged 8 tensors of 2 files" in said.stderr
    assert "2 of them are running statistics" in said.stderr
    mean, *both = (load_weights(f"{name}.safetensors") for name in ("mean", 0, 1))
    np.testing.assert_allclose(mean["conv1.weight"], sum(w["conv1.weight"] for w in both) / 2)
    assert origin_of("mean.safetensors") == origin_of("0.safetensors")
    run("weights", "average", "0.safetensors", "-o", "mean.pt", code=2)
