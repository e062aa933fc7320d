"""Dropout that stays on at inference: what PyTorch and ONNX Runtime draw, by its statistics; `run --samples`.

Keras's has its test beside those of its other layers.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from graphs import graph_of

import netspec
from netspec.backend import load_backend
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.passes import OPTIMIZE
from netspec.runtime import open_session
from netspec.sampling import sample
from netspec.weights import init_weights

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")

KEPT = ["mc-dropout"]
LEVELS = [*onnxruntime.GraphOptimizationLevel.__members__.values()]
TOGETHER = [
    ("dropout 0.25", (20, 3, 2), ()),
    ("spatial_dropout 0.25", (20, 3, 2), (2, 3)),
    ("spatial_dropout 0.25", (6, 20), (1,)),
    ("spatial_dropout 0.25", (20, 2, 2, 2), (2, 3, 4)),
    ("drop_path 0.25", (6, 20), (1, 2)),
    ("drop_path 0.25", (20,), (1,)),
]
"""An op, a shape, and the axes along which all is dropped or nothing."""


def in_torch(graph):
    module = netspec.build(graph, target="torch", passes=KEPT)
    torch.manual_seed(0)
    with torch.no_grad():
        yield lambda x: module(torch.from_numpy(x)).numpy()
        scripted = torch.jit.script(module)
        yield lambda x: scripted(torch.from_numpy(x)).numpy()


def in_onnx(graph, levels=(LEVELS[0], LEVELS[-1]), **options):
    content = netspec.compile(graph, target="onnx", passes=KEPT, **options).content
    for level in levels:
        chosen = onnxruntime.SessionOptions()
        chosen.graph_optimization_level = level
        onnxruntime.set_seed(0)
        session = onnxruntime.InferenceSession(content, chosen, ["CPUExecutionProvider"])
        yield lambda x, session=session: session.run(None, {"input": x})[0]


@pytest.mark.parametrize("runs", [in_torch, in_onnx])
@pytest.mark.parametrize(("line", "shape", "together"), TOGETHER)
def test_dropout_at_inference_drops_what_belongs_together(runs, line, shape, together):
    graph = graph_of(f"input {' '.join(map(str, shape))} -> {line}")
    ones = np.ones((4000 if "path" in line else 200, *shape), np.float32)
    for run in runs(graph):
        values = run(ones)
        assert set(np.unique(values)) == {0, np.float32(4 / 3)}
        assert (values.min(together) == values.max(together)).all()
        assert abs(np.mean(values == 0) - 0.25) < 0.03
        shared = [axis for axis in range(values.ndim) if axis not in together]
        for axis in shared:  # what does not go together is drawn apart
            assert (values.min(axis) < values.max(axis)).any()
        assert (run(ones) != values).any()


@pytest.mark.parametrize("runs", [in_torch, in_onnx])
def test_alpha_dropout_at_inference_keeps_mean_and_variance(runs):
    x = np.random.default_rng(0).normal(size=(50, 4000)).astype(np.float32)
    for run in runs(graph_of("input 4000 -> alpha_dropout 0.3")):
        values = run(x)
        assert abs(values.mean()) < 0.02
        assert abs(values.var() - 1) < 0.02
        found, counts = np.unique(values, return_counts=True)
        assert abs(counts.max() / values.size - 0.3) < 0.01
        assert found[counts.argmax()] < -1


ATTENTION = (
    "attention 2 dropout=0.5",
    "attention 2 dropout=0.5 kv_heads=1 causal=true",
    "attention 2 dropout=0.5 rotary=true",
)


@pytest.mark.parametrize("line", ATTENTION)
def test_attention_at_inference_drops_weights(line):
    """With its output linear in the weights, the mean over many runs is what the network gives without dropout."""
    graph = graph_of(f"input 5 4 -> {line}")
    weights = init_weights(graph)
    x = np.random.default_rng(1).normal(size=(1, 5, 4)).astype(np.float32)
    wanted = load_backend("reference").open_session(graph, weights, "float64").predict({"input": x})
    many = np.repeat(x, 4000, axis=0)
    runs = in_onnx(graph, weights=weights)
    module = netspec.build(graph, target="torch", weights=weights, passes=KEPT)
    for run in [*runs, lambda x: module(torch.from_numpy(x)).detach().numpy()]:
        values = run(many)
        spread = values.std(0)
        assert spread.max() > 0.05
        assert (np.abs(values.mean(0) - wanted["output"]) <= 5 * spread / 4000**0.5 + 1e-6).all()


@pytest.mark.parametrize("line", ["attention 2 dropout=0.5", "drop_path"])
def test_an_opset_whose_random_numbers_no_runtime_draws_is_refused(line):
    graph = graph_of(f"input 5 4 -> {line}")
    assert netspec.compile(graph, target="onnx", opset=21, passes=KEPT)
    assert netspec.compile(graph, target="onnx", opset=23)
    with pytest.raises(SpecError, match="draws no random numbers in opset 23"):
        netspec.compile(graph, target="onnx", opset=23, passes=KEPT)


def test_no_pass_takes_it_away():
    graph = graph_of(
        "input 400\ndense 400 bias=false -> dropout 0.5 -> bn -> dropout 0.5 -> dense 8"
    )
    content = netspec.compile(graph, target="onnx", passes=[*KEPT, *OPTIMIZE]).content
    assert [node.op_type for node in onnx.load_from_string(content).graph.node].count("Where") == 2


def test_what_nothing_drops_is_as_it_was():
    graph = graph_of("input 3 4 -> attention 2 -> dropout 0 -> spatial_dropout 0 -> dense 2")
    plain = netspec.compile(graph, target="onnx").content
    kept = netspec.compile(graph, target="onnx", passes=KEPT).content
    x = {"input": np.ones((2, 3, 4), np.float32)}
    assert (open_session(plain).run(x)["output"] == open_session(kept).run(x)["output"]).all()


def test_two_dropouts_of_one_value_draw_apart_at_every_level():
    graph = graph_of("input 400\n@x = @\nadd { dropout 0.5 | @x -> dropout 0.5 }")
    for run in in_onnx(graph, LEVELS):
        values = run(np.ones((1, 400), np.float32))
        assert set(np.unique(values)) == {0, 2, 4}


def test_a_seed_repeats_the_draws():
    content = netspec.compile(graph_of("input 40 -> dropout"), target="onnx", passes=KEPT)
    x = np.ones((1, 40), np.float32)
    first, again, other = (
        open_session(content.content, seed=seed).run(x)["output"] for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_a_sample_has_the_mean_and_the_deviation_of_its_runs():
    draws = np.random.default_rng(0).normal(1e4, 1, (30, 2, 3)).astype(np.float32)
    waiting = iter(draws)
    spread = sample(lambda: {"y": next(waiting)}, 30)
    wide = draws.astype(np.float64)
    np.testing.assert_allclose(spread.mean["y"], wide.mean(0), rtol=1e-6)
    np.testing.assert_allclose(spread.deviation["y"], wide.std(0, ddof=1), rtol=1e-6)


def test_run_gives_mean_and_deviation(tmp_path):
    model, x, y = (str(tmp_path / name) for name in ("model.onnx", "x.npy", "y.npz"))
    spec = ["examples/n2.net", "--input"]

    def cli(*arguments):
        return CliRunner().invoke(main, list(arguments), catch_exceptions=False)

    np.save(x, np.ones((2, 1, 28, 28), np.float32))
    sampled = ["--samples", "20", "--sample-seed", "1", "-o", y]
    assert cli("run", *spec, x, "--mc-dropout", *sampled).exit_code == 0
    direct = dict(np.load(y))
    assert set(direct) == {"output_mean", "output_std"}
    assert direct["output_std"].shape == (2, 10)
    assert (direct["output_std"] > 0).all()
    assert cli("compile", spec[0], "-t", "onnx", "--mc-dropout", "-o", model).exit_code == 0
    assert cli("run", model, "--input", x, *sampled).exit_code == 0
    assert all((array == direct[name]).all() for name, array in np.load(y).items())
    refused = cli("run", *spec, x, "--samples", "3")
    assert refused.exit_code == 1
    assert "equal-samples" in refused.output
