"""Names and strings never become code: emitted source is proved, and the proof sees an emitter that quotes wrongly."""

from __future__ import annotations

import ast
import builtins
import json
import keyword
from typing import Any

import pytest
from graphs import HOSTILE, NUMBERED, OPS_BY_EXAMPLE, example_graph, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.backend import load_backend
from netspec.compiler import load_json
from netspec.diagnostics import SpecError
from netspec.emit import source as text_layer
from netspec.emit.proof import UnfaithfulSource, prove
from netspec.emit.source import Call, Code
from netspec.ir import Graph

TARGETS = ["torch", "keras"]
GRAPH = graph_of(
    "block unit(c, act) { conv c 3 padding=half -> act }\n"
    "input 3 8 8\nunit 4 relu -> stem: unit 5 gelu -> head.0: conv 2 1 -> flatten -> fc: dense 2"
)
EVIL = [
    'x"); import os; ("',
    "x\nimport os\n",
    '"""\nimport os\n"""',
    "x.__class__",
    "{__import__('os')}",
    "x = eval",
    "lambda: 0",
    "eval",
    "self",
    "\\",
    "'",
    "ｅval",  # noqa: RUF001 (a lookalike that Python reads as `eval`)
    "x #",
    "",
]


def emit(target: str, graph: Graph) -> str:
    return load_backend(target).emit(graph, None).decode()


@pytest.mark.parametrize("target", TARGETS)
def test_all_that_is_emitted_is_proved(target: str) -> None:
    count = 0
    for op, example in OPS_BY_EXAMPLE:
        try:
            count += bool(emit(target, example_graph(op, example)))
        except SpecError:
            continue
    assert count > 50
    for text in (HOSTILE, NUMBERED):
        assert emit(target, graph_of(text))


BREAKS: dict[str, Any] = {
    "a string that is another": lambda text: f'"{text}_"',
    "a string that ends too soon": lambda text: f'"{text[:1]}", "{text[1:]}"',
    "a string that is code": lambda text: f'open("{text}")',
    "a string that imports": lambda text: f'__import__("{text}")',
    "a string that is a name": lambda text: text.replace(".", "_"),
    "a string that is not closed": lambda text: f'"{text}',
    "a formatted string": lambda text: f'f"{{{text}}}"',
    "a string behind a comment": lambda text: f'"" #"{text}"',
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_an_emitter_that_quotes_wrongly_is_found_out(
    broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert emit("keras", GRAPH)
    monkeypatch.setattr(text_layer, "_quoted", broken)
    with pytest.raises(UnfaithfulSource):
        emit("keras", GRAPH)


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import torch\nfrom os import path",
        "def f(x):\n    import torch\n    return x",
        "def f(x):\n    return x.__class__",
        "def f(x):\n    return eval(x)",
        "def f(x):\n    exec(x)",
        "def f(x):\n    return getattr(x, x)",
        "def f(x):\n    return y",
        "def f(x):\n    return x('another')",
        "def f(x):\n    return f'{x}another'",
        "def f(x):\n    global y\n    return x",
        "f = lambda x: x",
        "async def f(x): pass",
        "def f(x):\n    del x",
        "def f(x):\n    try:\n        x()\n    except x:\n        pass",
        "def f(x):\n    assert x",
        "x = 1 +",
        "x = '\0'",
    ],
)
def test_what_is_no_network_is_refused(source: str) -> None:
    with pytest.raises(UnfaithfulSource):
        prove(source, [Call("nn.Conv2d", {"mode": "same"})], {"conv1"}, {"torch"}, ())


def test_what_was_meant_is_not_refused() -> None:
    source = (
        '"""What it is."""\nimport torch\n\n\ndef f(x, n: int):\n    """Its words."""\n'
        '    x = torch.pad(x[:, 1:], (0, -n), "same")\n    return [x, f"{n}_conv1"][0]\n'
    )
    prove(source, [Call("torch.pad", {"0": Code("x"), "1": "same"})], {"_conv1"}, {"torch"}, ())


words = st.one_of(
    st.sampled_from([*keyword.kwlist, *keyword.softkwlist, *dir(builtins)]),
    st.sampled_from(
        ["torch", "nn", "keras", "layers", "ops", "np", "self", "x", "name", "forward"]
    ),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
)


@settings(max_examples=60, deadline=None)
@given(words, words, words, words)
def test_any_words_of_the_language_are_refused_or_emitted_faithfully(
    block: str, parameter: str, label: str, net: str
) -> None:
    text = (
        f"block {block}({parameter}) {{ conv {parameter} 1 }}\n"
        f"net {net} {{ input 3 4 4; {label}: {block} 4 -> {label}2: relu -> {block} 5 }}"
    )
    for target in TARGETS:
        try:
            source = emit(target, graph_of(text))
        except SpecError:
            continue
        ast.parse(source)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.sampled_from(EVIL), st.text(max_size=12)), st.integers(0, 4))
def test_a_saved_graph_with_any_names_is_refused_or_emitted_faithfully(
    word: str, place: int
) -> None:
    content = json.loads(GRAPH.to_json())
    if place == 0:
        content = json.loads(GRAPH.to_json().replace("stem", json.dumps(word)[1:-1]))
    elif place == 1:
        content["scopes"][0]["block"] = word
    elif place == 2:
        content["scopes"][0]["arguments"] = {word: 4}
    elif place == 3:
        content["outputs"][0]["name"] = word
    else:
        content["name"] = word
    harmless = {target: shape_of(emit(target, GRAPH)) for target in TARGETS}
    try:
        graph = load_json(json.dumps(content))
    except SpecError:
        return
    for target in TARGETS:
        try:
            source = emit(target, graph)
        except SpecError:
            continue
        if place in (3, 4):
            assert shape_of(source) == harmless[target]


def shape_of(source: str) -> list[str]:
    """The kinds of syntax in a source, in order: what remains of it when all names are others."""
    return [type(node).__name__ for node in ast.walk(ast.parse(source))]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("word", [word for word in EVIL if "." not in word])
def test_the_proof_stands_behind_the_checks_of_names(target: str, word: str) -> None:
    """A graph that nobody validated: what is emitted is refused where a name would be code."""
    nodes = [
        node.model_copy(
            update={
                "name": node.name.replace("fc", word),
                "inputs": tuple(name.replace("fc", word) for name in node.inputs),
            }
        )
        for node in GRAPH.nodes
    ]
    outputs = [
        each.model_copy(update={"node": each.node.replace("fc", word)}) for each in GRAPH.outputs
    ]
    graph = Graph(name="g", nodes=tuple(nodes), outputs=tuple(outputs), scopes=GRAPH.scopes)
    try:
        source = emit(target, graph)
    except (UnfaithfulSource, SpecError, IndexError):
        return
    other = Graph(name="g", nodes=GRAPH.nodes, outputs=GRAPH.outputs, scopes=GRAPH.scopes)
    assert shape_of(source) == shape_of(emit(target, other))
