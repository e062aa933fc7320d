"""Nets of a file: which is compiled, what the caller may set, and nets that are others with other defaults."""

from __future__ import annotations

import numpy as np
import pytest
from test_expand import graph, ids, mistakes, nodes

from netspec.diagnostics import SpecError
from netspec.language.expand import parse_override

NETS = (
    "let w = 4\nnet small(c=w) { input 8 -> dense c }\nnet large(c, d=c*2) { input 8 -> dense d }"
)


def test_nets_and_overrides() -> None:
    assert graph(NETS, net="small").name == "small"
    assert nodes(NETS, net="small") == "dense1(input) 4"
    assert nodes(NETS, net="large", overrides={"c": 3}) == "dense1(input) 6"
    assert nodes(NETS, net="large", overrides={"c": 3, "d": 1}) == "dense1(input) 1"
    assert (
        nodes("net n(act=relu) { input 8 -> act }", overrides={"act": "tanh"}) == "tanh1(input) 8"
    )
    assert nodes("let c = 4\ninput 8 -> dense c", overrides={"c": 2}) == "dense1(input) 2"
    assert nodes(NETS, net="large", overrides={"c": np.int64(3)}) == "dense1(input) 6"
    assert ids(NETS, net="large", overrides={"c": {}}) == ["bad-override"]
    assert ids(NETS, net="large", overrides={"c": float("nan")}) == ["bad-override"]
    assert ids("let (a) = [4]\ninput 8", overrides={"a": 2}) == ["unknown-parameter"]
    growing = "let c = 4\ninput 8\nrepeat 2 { dense c; let c = 2*c }"
    assert nodes(growing, overrides={"c": 3}) == "dense1(input) 3 | dense2(dense1) 6"
    assert ids(NETS, net="large") == ["missing-argument"]
    assert ids(NETS) == ["several-nets"]
    assert ids("let c = 4\ninput 8", overrides={"d": 2}) == ["unknown-parameter"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("classes=10", ("classes", 10)),
        ("w = 0.5", ("w", 0.5)),
        ("depths=[2, 2]", ("depths", (2, 2))),
        ("act=relu", ("act", "relu")),
        ("flag=true", ("flag", True)),
        ("k=2*3", ("k", 6)),
        ("size=1x7", ("size", (1, 7))),
        ("t=?T", ("t", "?T")),
        ("sizes=[?, half]", ("sizes", ("?", "half"))),
    ],
)
def test_override_texts(text: str, expected: tuple[str, object]) -> None:
    assert parse_override(text) == expected


def test_every_nameless_size_of_an_override_is_one_of_its_own() -> None:
    text = "net n(t, u) { @a = input t 8; @b = input ? 8; @c = input u 8; add { @a | @b | @c } }"
    given = dict(map(parse_override, ("t=?", "u=?")))
    assert ids(text, overrides=given) == ["unequal-branches"]
    shapes = [
        node.shape
        for node in graph(text.replace("?", "?T"), overrides={"t": "?T", "u": "?T"}).nodes
    ]
    assert len(set(map(str, shapes))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "classes",
        "=3",
        "a b=3",
        "k=",
        "k=1 2",
        "k=@",
        "k=[",
        "k=(1",
        "k=2*?",
        f"k=[{'[' * 20}1{']' * 20}, 2*[1]]",
    ],
)
def test_bad_override_texts(text: str) -> None:
    with pytest.raises(SpecError):
        parse_override(text)


def test_the_input_comes_from_the_file_or_the_caller() -> None:
    line = "conv 32 3 -> bn -> relu -> pool 2 -> dense 128 -> dropout 0.5"
    assert graph(line, input_shape=(3, 32, 32)).nodes[0].shape.sizes == (3, 32, 32)
    assert ids(line) == ["no-input"]
    resized = graph("input 1 28 28\nconv 4 3", input_shape=(1, 8, 8))
    assert [node.shape.sizes for node in resized.nodes] == [(1, 8, 8), (4, 6, 6)]
    assert graph("block b { relu }\nb", input_shape=(4,)).nodes[0].name == "input"
    assert graph("relu", input_shape=np.array([4, 8])).nodes[0].shape.sizes == (4, 8)
    assert ids("relu", input_shape=(0,)) == ["bad-argument"]
    assert ids("relu", input_shape=()) == ["missing-argument"]


FAMILY = """
net small(unit=basic_block, depths=[1]) {
  input 3 8 8
  for n in depths { repeat n { unit 4 } }
}
net late = middle depths=[1, 2]
net middle = small unit=bottleneck
"""


def test_a_net_may_be_another_with_other_defaults() -> None:
    def blocks(net: str, **overrides: object) -> list[str | None]:
        found = graph(FAMILY, net=net, overrides=overrides)
        assert found.name == net
        return [scope.block for scope in found.scopes]

    assert blocks("small") == ["basic_block"]
    assert blocks("middle") == ["bottleneck"]
    assert blocks("late") == ["bottleneck"] * 3
    assert blocks("late", depths=(2,)) == ["bottleneck"] * 2


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("net other = smal", "no net is called `smal`"),
        ("net a = b\nnet b = a", "`b` leads back to no net with a body"),
        ("net small = middle", "a second net is called `small`"),
        ("net other = small depth=[3]", "the net `small` has no parameter `depth`"),
        ("net other = small depths=[1] depths=[2]", "`depths` is given twice"),
    ],
)
def test_a_net_that_varies_none(line: str, found: str) -> None:
    assert found in [mistake.message for mistake in mistakes(FAMILY + line, net="small")]
