"""How weights start: the calls of the language, the distributions drawn, and the same ones in emitted source."""

from __future__ import annotations

import hashlib
import itertools
import json
import math

import numpy as np
import pytest
import torch
from graphs import graph_of

import netspec
from netspec.backend import load_backend
from netspec.diagnostics import SpecError
from netspec.ir import Graph
from netspec.ops.initial import Init
from netspec.weights import init_weights

FANNED = {
    "xavier_uniform()": math.sqrt(2 / (300 + 200)),
    "xavier_normal(0.5)": 0.5 * math.sqrt(2 / (300 + 200)),
    "kaiming_uniform()": math.sqrt(2 / 300),
    "kaiming_normal(fan_out)": math.sqrt(2 / 200),
    "lecun_normal()": math.sqrt(1 / 300),
    "orthogonal()": math.sqrt(1 / 300),
}
DEVIATIONS = {
    **FANNED,
    "uniform(0.3)": 0.3 / math.sqrt(3),
    "normal(0.02)": 0.02,
    "trunc_normal(0.02)": 0.02 * 0.8796,
}
CALLS = (*DEVIATIONS, "constant(0.5)", "zeros()", "ones()")


def dense(call):
    return graph_of(f"input 300 -> dense 200 init={call} bias_init=constant(0.25)")


@pytest.mark.parametrize("call", DEVIATIONS)
def test_an_initializer_draws_its_distribution(call):
    values = init_weights(dense(call))["dense1.weight"]
    assert values.dtype == np.float32
    assert values.std() == pytest.approx(DEVIATIONS[call], rel=0.02)
    assert abs(values.mean()) < 0.02 * values.std() + 1e-9
    if call.startswith("trunc"):
        assert np.abs(values).max() <= 0.04 * (1 + 1e-6)
    elif "normal" in call:
        assert np.abs(values).max() > 3.5 * values.std()


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (3, 2, 2, 2)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    side = "x".join(map(str, shape[2:])) or None
    text = (
        f"input {shape[1]} 5 5 -> conv {shape[0]} {side} init=orthogonal(3)"
        if side
        else f"input {shape[1]} -> dense {shape[0]} init=orthogonal(3)"
    )
    (matrix,) = (w for n, w in init_weights(graph_of(text)).items() if n.endswith("weight"))
    matrix = matrix.reshape(shape[0], -1)
    small = min(matrix.shape)
    product = matrix @ matrix.T if len(matrix) == small else matrix.T @ matrix
    np.testing.assert_allclose(product, 9 * np.eye(small), atol=1e-5)


def test_a_seed_means_the_same_numbers_for_ever():
    """NumPy does not promise its distributions across versions; QR differs from machine to machine."""
    total = hashlib.sha256()
    for call in CALLS:
        if call != "orthogonal()":
            total.update((init_weights(dense(call), 7)["dense1.weight"] + 0.0).tobytes())
    assert total.hexdigest() == "a32445f8d4392f46fc5c34e9607ff4d1629ab1d410e72898305e749bf1e8ed43"


@pytest.mark.parametrize("call", CALLS)
def test_emitted_torch_draws_the_same_distribution(call):
    graph = dense(call)
    namespace: dict[str, type[torch.nn.Module]] = {}
    exec(load_backend("torch").emit(graph, None).decode(), namespace)
    torch.manual_seed(0)
    found = namespace["Test"]().state_dict()
    mine = init_weights(graph)["dense1.weight"]
    assert found["dense1.bias"].tolist() == [0.25] * 200
    values = found["dense1.weight"].numpy()
    spread = float(mine.std()) or 1.0
    for share in (0.01, 0.2, 0.5, 0.8, 0.99):
        wanted = float(np.quantile(mine, share))
        assert float(np.quantile(values, share)) == pytest.approx(wanted, abs=0.05 * spread)


@pytest.mark.parametrize("call", CALLS)
def test_a_graph_keeps_its_initializers(call):
    graph = graph_of(
        f"block unit(init) {{ dense 4 init=init }}\nnet n {{ input 8 -> unit {call} }}"
    )
    assert str(graph.nodes[1].op.init) == call
    assert Graph.from_json(graph.to_json()) == graph


def test_parameters_of_emitted_blocks_hold_what_differs():
    code = load_backend("torch").emit(
        graph_of(
            "block unit(std) { dense 8 init=normal(std) }\nnet n { input 8 -> unit 0.1 -> unit 0.2 }"
        ),
        None,
    )
    assert "nn.init.normal_(self.dense1.weight, std=std)" in code.decode()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        ("normal()", "takes a standard deviation, got ()"),
        ("normal(-1)", "takes a standard deviation, got (-1)"),
        ("kaiming_normal(3)", "takes `fan_in` or `fan_out`"),
        ("zeros(1)", "takes nothing"),
        ("0.02", "must be an initializer such as `normal(0.02)`, got 0.02"),
        ("fan_in", 'must be an initializer such as `normal(0.02)`, got "fan_in"'),
    ],
)
def test_a_wrong_initializer_is_told_what_it_takes(call, word):
    with pytest.raises(SpecError, match=word.replace("(", r"\(").replace(")", r"\)")):
        graph_of(f"input 8 -> dense 4 init={call}")


@pytest.mark.parametrize("op", ["scale init={}", "shift {}", "prelu {}", "dense 2 bias_init={}"])
def test_a_number_is_what_all_start_as(op):
    graph = graph_of(f"input 3 -> {op.format(0.5)}")
    assert graph == graph_of(f"input 3 -> {op.format('constant(0.5)')}")
    saved = json.loads(graph.to_json())
    op = saved["nodes"][1]["op"]
    (name,) = (name for name, value in op.items() if isinstance(value, dict))
    op[name] = op[name]["value"]
    assert Graph.from_json(json.dumps(saved)) == graph


@pytest.mark.parametrize("shape", ["3", "3 4 4"])
def test_numbers_of_channels_have_no_fans(shape):
    with pytest.raises(SpecError, match="channels have one number each"):
        graph_of(f"input {shape} -> scale init=xavier_normal()")


def test_default_initial_values_are_not_written():
    for target in ("torch", "keras"):
        source = netspec.compile(graph_of("input 8 -> dense 4"), target=target).content.decode()
        assert "init." not in source
        assert "initializer" not in source


def test_keras_layers_with_fans_of_their_own_get_numbers():
    kinds = ("conv 4 3 groups=4", "conv 8 3")
    sources = [
        load_backend("keras").emit(graph_of(f"input 4 8 8 -> {kind} init=kaiming_normal()"), None)
        for kind in kinds
    ]
    assert b"depthwise_initializer=initializers.RandomNormal(stddev=0.4714" in sources[0]
    assert b"kernel_initializer=initializers.VarianceScaling(" in sources[1]


def test_scales_follow_pytorchs_fans():
    for shape, rule in itertools.product([(6, 4, 3, 3), (5, 7)], ("xavier_normal", "lecun_normal")):
        fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
        wanted = 2 / (fan_in + fan_out) if rule == "xavier_normal" else 1 / fan_in
        assert Init(rule=rule).settled(shape).value == pytest.approx(math.sqrt(wanted))
