"""The Keras target's source, and what it refuses, as text: no framework is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest
from graphs import chain, example_graph, graph_of
from keras_networks import NETWORKS
from keras_process import REALISED, target
from shared import HAND_OVER, SHARED

from netspec.diagnostics import SpecError
from netspec.ops import all_ops


@pytest.mark.parametrize("op", tuple(all_ops()), ids=lambda op: op.kind)
def test_every_op_has_a_row(op):
    assert op.kind == "input" or op in target.ROWS


def test_an_unknown_size_is_none():
    source = target.emit(graph_of("input 3 ?H 8 -> conv 4 3 stride=2 padding=same"), None).decode()
    assert 'keras.Input((None, 8, 3), name="input")' in source
    assert 'layers.Conv2D(4, 3, strides=2, padding="same", name="conv1")' in source


def test_a_state_is_handed_over_by_its_name():
    source = target.emit(graph_of(f"{HAND_OVER}\n@begun -> decode 6 @state"), None).decode()
    assert "x, initial_state=ops.split(state, 2, axis=-1)" in source
    assert "x, initial_state=state" in source
    assert "ops.concatenate(result[1:], axis=-1)" in source


def test_shared_layers_that_would_need_other_code_are_refused():
    graph = graph_of(
        "share e = conv 4 3 stride=2 padding=(0, 0, 1, 1)\ninput 4 9 8\n"
        "@a = e\n@b = pool 1 padding=0 -> pool (2, 1) stride=1 -> e\nout a=@a, b=@b"
    )
    with pytest.raises(
        SpecError, match=r"keras cannot realise `conv` \(e2\): it shares `e`, whose"
    ):
        target.emit(graph)


@pytest.mark.parametrize(
    "line", ["conv_transpose 4 3 dilation=2", "conv_transpose 4 3 stride=2 dilation=2"]
)
def test_what_keras_cannot_do_is_refused_with_the_reason(line):
    with pytest.raises(SpecError, match=r"\(conv_transpose1\): .* take no dilation on a CPU"):
        target.emit(chain("input 3 8 8", line, "relu"))


@pytest.mark.parametrize(
    "text",
    [
        "input 3 -> a.b: dense 2 -> a_b: dense 2",
        "input 3 8 8 -> conv1_pad: conv 3 1 -> conv 3 3 stride=2 padding=1",
    ],
)
def test_two_layers_of_one_name_are_refused(text):
    with pytest.raises(SpecError, match=r"name-clash: .* would both be the Keras layer"):
        target.emit(graph_of(text))


def source_of(graph):
    return target.emit(graph).decode()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_source_is_the_same_every_time(name):
    first, again = (source_of(graph_of(NETWORKS[name])) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("name", NETWORKS)
def test_the_source_knows_nothing_of_netspec(name):
    source = source_of(graph_of(NETWORKS[name]))
    imports = [line for line in source.splitlines() if "import" in line]
    assert all(line.split()[1] == "keras" for line in imports)


def assert_clean(graphs, folder):
    """Ruff, as it is out of the box, finds nothing to say about the sources."""
    for number, graph in enumerate(graphs):
        (folder / f"net{number}.py").write_text(source_of(graph))
    for command in (["check"], ["format", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--quiet", str(folder)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_source_is_clean(tmp_path):
    texts = {**NETWORKS, **{f"shared {name}": text for name, text in SHARED.items()}}
    networks = [graph_of(text, name) for name, text in texts.items()]
    assert_clean([*networks, *(example_graph(*case) for case in REALISED)], tmp_path)


def test_sources_with_names_of_any_length_are_clean(tmp_path):
    template = """
        block a(c) {{ {0}: conv c 1 -> x: mul {{ @ | gap -> {0}2: dense c }} }}
        net long {{ input 3 4 4 -> a 3 -> {0}: conv 4 2 -> {0}3: add {{ relu | @ }} }}
    """
    assert_clean([graph_of(template.format("n" * length)) for length in range(1, 85)], tmp_path)


def test_helpers_serve_detours_that_many_layers_take():
    line = "conv 4 3 stride=2 padding=1"
    once, twice = (source_of(chain("input 3 16 16", *[line] * count)) for count in (1, 2))
    assert "def conv2d(" not in once
    assert "def conv2d(" in twice
    assert "layers.ZeroPadding2D(1, name=" in once
    assert 'x = conv2d(inputs, 4, 3, strides=2, name="conv1")' in twice


def test_even_padding_is_keras_own():
    source = source_of(chain("input 3 9 9", "conv 4 3 padding=1", "pool 3 stride=1 padding=1"))
    assert 'layers.Conv2D(4, 3, padding="same", name="conv1")' in source
    assert 'layers.MaxPooling2D(3, strides=1, padding="same", name="pool1")' in source


def test_the_rows_need_no_framework():
    code = (
        "import sys; from netspec.backend import load_backend; load_backend('keras').ROWS; "
        "sys.exit(bool({'keras', 'tensorflow', 'numpy'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
