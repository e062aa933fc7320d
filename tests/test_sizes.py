"""Networks whose sizes are known only at run time: the language, shapes, and where actual sizes come in."""

from __future__ import annotations

import json

import pytest
from graphs import graph_of

from netspec import Net, parse, summarize
from netspec.diagnostics import SpecError
from netspec.dim import Dim
from netspec.ir import Graph
from netspec.passes.validate import InvalidGraph, validate
from netspec.sizes import bind, measure, propose, unknowns
from netspec.summary import to_json, to_table

STRIDED = (
    "input 3 ?H ?W -> conv 8 3 stride=2 padding=same -> pool 3 stride=2 padding=1 -> gap -> dense 4"
)


def shapes(graph):
    return [str(node.shape) for node in graph.nodes]


def fails(text, **options):
    with pytest.raises(SpecError) as caught:
        parse(text, **options)
    return [diagnostic.id for diagnostic in caught.value.diagnostics]


# ---- the language ----

SHAPES = {
    "input ?T 16 -> dense 4": ["T x 16", "T x 4"],
    "input ? dtype=int": ["_1"],
    "input 3 ? ? -> conv 4 3": ["3 x _1 x _2", "4 x _1 - 2 x _2 - 2"],
    "input 3 8*?H 8*?W -> repeat 2 { pool 2 } -> upconv 4 2 stride=2": [
        *("3 x 8*H x 8*W", "3 x 4*H x 4*W", "3 x 2*H x 2*W", "4 x 4*H x 4*W"),
    ],
    "input 3 ?H ?W -> pool 3 2 ceil=true": ["3 x H x W", "3 x H//2 x W//2"],
    "input ?T 4\n@b = input 2*@.t 4\nconcat axis=t { @ | @ } -> add { @ | @b }": [
        *("T x 4", "2*T x 4", "2*T x 4", "2*T x 4"),
    ],
    "input 4 ?H ?W -> flatten": ["4 x H x W", "4*H*W"],
    "input 2 ?T ?T\nif @.h == @.w and @.c != 3 { conv 5 1 }": ["2 x T x T", "5 x T x T"],
    "input ?T 4\nif @.t + 1 != @.t { dense 2 }": ["T x 4", "T x 2"],
    "input ?T 4\nif @.shape == (7, 5) { relu } else { dense 2 }": ["T x 4", "T x 2"],
    "input ?T 4\nslice t 1 -> slice t 0 -2 step=2 -> slice t -3": [
        *("T x 4", "T - 1 x 4", "T//2 - 1 x 4", "3 x 4"),
    ],
    "block b(n, c) { dense c }\ninput ?T 4\nb @.t//2 3": ["T x 4", "T x 3"],
}


@pytest.mark.parametrize("text", SHAPES)
def test_shapes_are_formulas(text):
    graph = graph_of(text)
    assert shapes(graph) == SHAPES[text]
    validate(graph)
    assert Graph.from_json(graph.to_json()) == graph
    assert graph_of(text).fingerprint == graph.fingerprint


UNKNOWN = [
    "repeat @.t { relu }",
    "if @.t > 3 { relu }",
    "if @.t == 3 { relu }",
    "if @.shape == (3, 4) { relu }",
    "if @.t { relu }",
    "if not @.t { relu }",
    "if @.c == 4 and @.t { relu }",
    "residual when=@.t { relu }",
    "let n = max(@.t, 3)",
    "let n = range(@.t)",
    "let n = [1, 2][@.t]",
    "let n = @.t / 2",
    "let n = 2 ** @.t",
    "let n = 12 // @.t",
    "let n = [x for x in [1, 2] if x < @.t]",
    "let n = 1 if @.t else 2",
    "dense @.t",
    "dropout @.t",
    "flatten -> dense 3",
]


@pytest.mark.parametrize("line", UNKNOWN)
def test_where_a_number_is_needed_an_unknown_size_is_refused(line):
    assert fails(f"input ?T 4\n{line}\nrelu") == ["unknown-size"]


@pytest.mark.parametrize("line", ["slice t 3 2", "slice t -2 -2", "slice c 5"])
def test_slices_without_positions_are_refused_whatever_the_size(line):
    assert fails(f"input ?T 4\n{line}") == ["index-out-of-range"]


def test_unequal_unknowns_do_not_merge():
    assert fails("input 3 ?H ?W\nadd { @ | conv 3 3 padding=1 stride=2 }") == ["unequal-branches"]
    assert fails("@a = input ?T 4\n@b = input ?S 4\nadd { @a | @b }") == ["unequal-branches"]


@pytest.mark.parametrize("size", ["?H//2", "0 - ?H", "?A*?B"])
def test_an_input_must_tell_its_unknowns(size):
    assert fails(f"input 3 ({size}) 4") == ["undetermined-size"]


def test_the_input_of_a_call_may_be_unknown():
    wanted = shapes(parse(STRIDED))
    assert shapes(parse(STRIDED.replace("?H ?W", "8 8"), input_shape=(3, "?H", "?W"))) == wanted
    assert shapes(parse("relu", input_shape=(3, "?", "?"))) == ["3 x _1 x _2"] * 2


def test_python_says_it_too():
    net = Net("n")
    x = net.input(3, "?H", "?W").conv(8, 3, stride=2, padding="same")
    assert x.shape.axis("h") == (Dim.unknown("H") + 1) // 2
    with net.block("b", n=x.shape.axis("h")):
        x = x.relu()
    graph = net.graph(x.pool(3, stride=2, padding=1).gap().dense(4))
    assert graph.scopes[0].arguments == {"n": "(H + 1)//2"}
    assert Graph.from_json(graph.to_json()) == graph
    with pytest.raises(SpecError, match="unknown-size"):
        net.input("?T").dense(4)


def test_same_stays_same_where_its_numbers_are_unknown():
    even, odd = (graph_of(f"input 3 {n}*?H 8 -> conv 8 3 2 same").nodes[1].op for n in (2, 3))
    assert even.padding == (0, 0, 1, 1)
    assert odd.padding == "same"
    assert graph_of("input 3 ?H 8 -> conv 8 3 padding=same").nodes[1].op.padding == (1, 1, 1, 1)


# ---- actual sizes ----


def test_known_sizes_give_the_graph_of_these_sizes():
    graph = bind(graph_of(STRIDED), {"H": 9, "W": 12})
    assert graph == graph_of(STRIDED.replace("?H", "9").replace("?W", "12"))
    half = bind(graph_of(STRIDED), {"H": 9})
    assert unknowns(half) == ("W",)
    assert bind(half, {"W": 12}) == graph


def test_what_has_no_unknowns_is_itself():
    graph = graph_of("input 3 8 8 -> gap")
    assert unknowns(graph) == ()
    assert bind(graph, {}) is graph


def test_sizes_are_read_off_the_inputs():
    text = (
        "@a = input 3 8*?H ?W\n@b = input (8*?H - 7) 2\n@c = input ?H//2 ?W 5\nout @a, b=@b, c=@c"
    )
    given = {"a": (3, 32, 5), "b": (25, 2), "c": (2, 5, 5)}
    graph = graph_of(text)
    assert measure(graph, given) == {"H": 4, "W": 5}
    assert measure(graph_of("input 3 4"), {"input": (3, 4)}) == {}


MISFITS = {
    "a number": ({"a": (4, 32), "b": (3,)}, "`a` takes 3 x 8*T, got 4 x 32: 4 should be 3"),
    "a multiple": (
        {"a": (3, 30), "b": (3,)},
        "`a` takes 3 x 8*T, got 3 x 30: 30 is not `8*T` for any T of 1 or more",
    ),
    "at least 1": ({"a": (3, 0), "b": (0,)}, "0 is not `8*T` for any T of 1 or more"),
    "one size": ({"a": (3, 32), "b": (3,)}, "`b` makes T 3, but `a` makes it 4"),
    "rank": ({"a": (3, 32, 1), "b": (4,)}, "`a` takes 3 x 8*T, got 3 x 32 x 1"),
}


@pytest.mark.parametrize("what", MISFITS)
def test_inputs_of_other_sizes_are_refused(what):
    given, words = MISFITS[what]
    graph = graph_of("@a = input 3 8*?T\n@b = input ?T\n@a -> relu")
    with pytest.raises(SpecError) as caught:
        measure(graph, given)
    assert words in str(caught.value)


def test_sizes_that_a_layer_cannot_take_are_refused():
    with pytest.raises(SpecError) as caught:
        bind(graph_of("input 3 ?H ?W -> conv 4 5"), {"H": 9, "W": 4})
    assert str(caught.value) == (
        "test.net:1:18: impossible-size: `test` cannot take H = 9, W = 4, because of `conv1`: "
        "`conv` looks through a 5 x 5 window at a 9 x 4 input"
    )


def test_sizes_are_proposed():
    large = graph_of("input 3 ?H ?W -> conv 4 33 -> gap")
    assert propose(large, lambda low, _: low) == {"H": 64, "W": 64}
    odd = graph_of("input 3 (2*?H + 1) 8 -> conv 4 3 stride=2")
    assert propose(odd, lambda _, high: high - 1) == {"H": 7}


def test_a_graph_that_does_not_fit_together_is_not_valid():
    graph = graph_of("input ?T 4 -> dense 3")
    broken = graph.model_copy(
        update={
            "nodes": (
                graph.nodes[0],
                graph.nodes[1].model_copy(update={"shape": graph.nodes[0].shape}),
            )
        }
    )
    with pytest.raises(InvalidGraph, match="is T x 4, but its op gives T x 3"):
        validate(broken)


# ---- what it costs ----


def test_a_summary_has_formulas():
    content = summarize(graph_of("input ?T 16 -> dense 4"))
    assert str(content.macs) == "64*T"
    assert str(content.activation_bytes) == "16*T"
    assert content.weight_bytes == 272
    assert json.loads(to_json(content))["rows"][1]["shape"] == ["T", 4]
    lines = to_table(content).splitlines()
    assert lines[5].split() == ["dense1", "dense", "T", "x", "4", "68", "64*T"]
    assert "activations     16*T bytes" in to_table(content)


def test_a_summary_leaves_long_formulas_out():
    layers = " -> ".join(f"conv 3 {k} padding=half stride={k - 1}" for k in (3, 4, 5, 6))
    table = to_table(summarize(graph_of(f"input 3 ?H ?W -> {layers}")))
    assert "multiply-adds   depends on the sizes" in table
