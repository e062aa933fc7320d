"""The Python builder: its graphs equal those of the language, its mistakes are diagnostics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from graphs import graph_of

import netspec
from netspec import Net


def n2():
    net = Net("n2")
    x = net.input(1, 28, 28)
    x = x.conv(32, 3, padding=1).bn().relu().pool(2)
    return net.graph(x.dense(128).relu().dropout(0.5).dense(10))


def resnet18():
    net = Net("resnet18")

    def basic(x, c, stride, label):
        with net.block("basic", label=label, c=c, stride=stride):
            main = x.conv(c, 3, stride=stride, padding=1, bias=False).bn().relu()
            main = main.conv(c, 3, padding=1, bias=False).bn()
            if stride > 1 or x.shape.axis("c") != c:
                x = x.conv(c, 1, stride=stride, bias=False, label="downsample.0").bn(
                    label="downsample.1"
                )
            return main.add(x).relu()

    x = net.input(3, 224, 224).conv(64, 7, stride=2, padding=3, bias=False).bn().relu()
    x = x.pool(3, stride=2, padding=1)
    for i, c in enumerate([64, 128, 256, 512]):
        with net.group(f"layer{i + 1}"):
            for j, stride in enumerate([1 if i == 0 else 2, 1]):
                x = basic(x, c, stride, str(j))
    return net.graph(x.gap().dense(1000, label="fc"))


def two_towers():
    net = Net("towers")
    left, right = net.input(4, label="left"), net.input(4, label="right")
    both = left.concat(right).dense(3)
    return net.graph(both=both, active=left.relu())


TOWERS = """
net towers {
  @left = input 4
  @right = input 4
  @both = concat { @left | @right } -> dense 3
  out both=@both, active=(@left -> relu)
}
"""


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (n2, Path("examples/n2.net").read_text()),
        (resnet18, Path("examples/resnet18.net").read_text()),
        (two_towers, TOWERS),
    ],
)
def test_a_built_graph_equals_the_parsed_one(built, text):
    assert built() == graph_of(text)


@pytest.mark.parametrize(
    ("mistake", "id_"),
    [
        (lambda x, _: x.conv(0, 3), "bad-argument"),
        (lambda x, _: x.conv(4, 3, strid=2), "unknown-argument"),
        (lambda x, _: x.conv(4, 30), "window-too-large"),
        (lambda x, _: x.conv(4, 3, label="1x"), "bad-name"),
        (lambda x, _: x.conv(4, 3, label="class"), "bad-name"),
        (lambda x, _: x.relu(label="a").relu(label="a"), "duplicate-name"),
        (lambda x, _: x.relu(label="a").relu(label="a.b"), "duplicate-name"),
        (lambda x, _: x.maximum(x.gap()), "unequal-branches"),
        (lambda x, _: x.relu(x), "wrong-arity"),
        (lambda x, _: x.add(Net("other").input(1, 8, 8)), "foreign-tensor"),
        (lambda x, _: x.dropout(10**400), "bad-argument"),
        (lambda x, _: x.tied("code"), "not-shared"),
        (lambda _, net: net.graph(), "no-output"),
        (lambda _, net: net.graph(Net("other").input(1)), "foreign-tensor"),
        (lambda _, net: net.share("f", lambda y: y.relu())(Net("a").input(1)), "foreign-tensor"),
        (lambda x, net: net.graph(x.relu(), output=x.tanh()), "duplicate-name"),
        (lambda x, net: net.graph(**{"a b": x.relu()}), "bad-name"),
        (lambda _, net: net.block("a\nb").__enter__(), "bad-name"),
        (lambda _, net: net.block("a", **{"b c": 1}).__enter__(), "bad-name"),
        (lambda x, net: net.graph(input=x.relu()), "duplicate-name"),
        (lambda _, net: net.input(1, 2, 3, 4, 5), "wrong-rank"),
        (lambda _, net: net.input(2**20, 2**20, 2**20), "too-large"),
        (lambda x, _: x.dense(2**31 - 1).dense(2**31 - 1), "over-limit"),
        (lambda _, net: net.input(4, dtype="int").relu(), "wrong-dtype"),
    ],
)
def test_mistakes_are_diagnostics(mistake, id_):
    net = Net("test")
    x = net.input(1, 8, 8)
    with pytest.raises(netspec.SpecError) as caught:
        mistake(x, net)
    assert [diagnostic.id for diagnostic in caught.value.diagnostics] == [id_]


def test_an_unknown_op_is_an_attribute_error():
    x = Net("test").input(3)
    with pytest.raises(AttributeError, match="no op `covn`: did you mean `conv`"):
        x.covn(3)


def test_numpys_numbers_are_numbers():
    net = Net("test")
    with net.block("unit", c=np.int64(4), x=net.input(3), rates=[np.float64(0.5)]):
        x = net.input(np.int32(3), np.int64(8), 8).conv(np.int64(4), np.array([3, 3]), label=0)
    graph = net.graph(x.dropout(np.float32(0.5)))
    assert graph.scopes[0].arguments == {"c": 4, "rates": (0.5,)}
    assert [str(node.shape) for node in graph.nodes[1:3]] == ["3 x 8 x 8", "4 x 6 x 6"]
    assert netspec.Graph.from_json(graph.to_json()) == graph


def test_what_leads_to_no_output_is_not_part_of_the_graph():
    net = Net("test")
    x = net.input(3)
    x.dense(100)
    graph = net.graph(x.relu())
    assert [node.name for node in graph.nodes] == ["input", "relu1"]
