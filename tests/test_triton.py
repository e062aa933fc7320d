"""Model repositories for Triton: read back with its own protobuf, and held to the model that they serve."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from graphs import graph_of
from tritonclient.grpc.model_config_pb2 import (
    TYPE_FP32,
    TYPE_INT64,
    ModelConfig,
    ModelInstanceGroup,
)

import netspec
from netspec.cli import main
from netspec.deploy.protobuf_text import Word, to_text
from netspec.deploy.triton import Serving, config, write_repository
from netspec.diagnostics import SpecError
from netspec.runtime import open_session

GRAPHS = {
    "image": graph_of("input 1 8 8 -> conv 4 3 -> relu -> dense 3"),
    "tokens": graph_of("input 5 dtype=int -> embed 11 6 -> lstm 4 -> dense 2"),
    "several": graph_of("@a = input 3\n@b = input 2 4\nout x=(@a -> dense 2), y=(@b -> dense 3)"),
    "unknown sizes": graph_of("input 3 ?H ?W -> conv 4 3 padding=1 -> relu -> gap -> dense 3"),
}


def parsed(text):
    return text_format.Parse(text, ModelConfig())


@pytest.mark.parametrize("max_batch", [0, 16])
@pytest.mark.parametrize("name", GRAPHS)
def test_triton_reads_what_the_model_takes_and_gives(name, max_batch):
    graph = GRAPHS[name]
    served = parsed(config(graph, Serving(max_batch=max_batch, warm_up=True)))
    session = open_session(netspec.compile(graph, target="onnx").content).session
    assert (served.name, served.platform) == (graph.name, "onnxruntime_onnx")
    assert served.max_batch_size == max_batch
    assert served.HasField("dynamic_batching") == bool(max_batch)
    for told, values in (
        (served.input, session.get_inputs()),
        (served.output, session.get_outputs()),
    ):
        assert [each.name for each in told] == [value.name for value in values]
        for each, value in zip(told, values, strict=True):
            wanted = [size if isinstance(size, int) else -1 for size in value.shape]
            batch = [-1] if max_batch else []
            assert [*batch, *each.dims] == wanted
            assert (
                each.data_type
                == {"tensor(float)": TYPE_FP32, "tensor(int64)": TYPE_INT64}[value.type]
            )


@pytest.mark.parametrize("max_batch", [0, 16])
@pytest.mark.parametrize("name", GRAPHS)
def test_the_model_takes_what_warms_it_up(name, max_batch):
    graph = GRAPHS[name]
    served = parsed(
        config(graph, Serving(max_batch=max_batch, preferred=(4,) * bool(max_batch), warm_up=True))
    )
    runner = open_session(netspec.compile(graph, target="onnx").content)
    assert [each.batch_size for each in served.model_warmup] == ([1, 4, 16] if max_batch else [1])
    for each in served.model_warmup:
        feeds = {}
        for key, value in each.inputs.items():
            lead = [each.batch_size] if max_batch else []
            dtype = {TYPE_FP32: np.float32, TYPE_INT64: np.int64}[value.data_type]
            assert value.zero_data == (dtype == np.int64)
            assert value.random_data != value.zero_data
            feeds[key] = np.zeros([*lead, *value.dims], dtype)
        runner.run(feeds)


def test_the_command_writes_a_repository(tmp_path):
    spec, labels, out = tmp_path / "net.net", tmp_path / "labels", tmp_path / "repo"
    spec.write_text("net digits { input 1 8 8 -> conv 4 3 -> relu -> dense 3 }")
    labels.write_text("ant\nbee\ncat\n")
    options = [
        "--labels",
        labels,
        "--max-batch",
        32,
        "--preferred-batch",
        8,
        "--preferred-batch",
        16,
    ]
    options += ["--instances", 2, "--device", "gpu", "--queue-delay", 500, "--seed", 3, "-o", out]
    command = list(map(str, ["deploy", "triton", spec, *options]))
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    home = out / "digits"
    found = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert found == {"config.pbtxt", "labels.txt", "1/model.onnx"}
    served = parsed((home / "config.pbtxt").read_text())
    assert [*served.dynamic_batching.preferred_batch_size] == [8, 16]
    assert served.dynamic_batching.max_queue_delay_microseconds == 500
    (group,) = served.instance_group
    assert (group.count, group.kind) == (2, ModelInstanceGroup.KIND_GPU)
    assert served.output[0].label_filename == "labels.txt"
    assert (home / "labels.txt").read_text() == labels.read_text()
    graph = netspec.load(spec)
    assert (home / "1/model.onnx").read_bytes() == netspec.compile(
        graph, target="onnx", seed=3
    ).content
    again = CliRunner().invoke(main, command)
    assert again.exit_code == 1
    assert "--version 2" in again.output
    assert CliRunner().invoke(main, [*command, "--version", "2"]).exit_code == 0
    assert (home / "2/model.onnx").exists()


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path):
    graph = GRAPHS["image"]
    for wanted, arguments in {
        "unfit-labels": (Serving(), ["a", "b"]),
        "bad-batch": (Serving(preferred=(128,)), []),
    }.items():
        with pytest.raises(SpecError) as error:
            write_repository(graph, b"", tmp_path / "repo", *arguments)
        assert error.value.diagnostics[0].id == wanted
    assert not (tmp_path / "repo").exists()


def test_text_is_what_protobuf_reads():
    name = 'a "quoted"\n\\ naïve name'
    text = to_text({"name": name, "input": [{"dims": [1, -1], "data_type": Word("TYPE_FP32")}, {}]})
    served = parsed(text)
    assert served.name == name
    assert [*served.input[0].dims] == [1, -1]
    assert len(served.input) == 2
