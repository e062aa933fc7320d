"""Ops that rearrange, and several results of one step: what they mean beyond what every op's examples show."""

from __future__ import annotations

import einops
import numpy as np
import pytest
from graphs import graph_of
from hypothesis import given, settings
from hypothesis import strategies as st

from netspec.backend import load_backend
from netspec.diagnostics import SpecError
from netspec.net import Net
from netspec.ops import Rejected, partings
from netspec.ops.grouping import Grouping, letters, parse_pattern, solve
from netspec.shape import Shape

reference = load_backend("reference")


def output_of(text, *, batch=2):
    """Inputs and the result of a spec without weights, float64."""
    graph = graph_of(text)
    draws = np.random.default_rng(0)
    feeds = {node.name: draws.normal(size=(batch, *node.shape.sizes)) for node in graph.inputs}
    return feeds, reference.open_session(graph, {}, "float64").predict(feeds)["output"]


PATTERNS = [
    ("3 4 6", "c h w -> (h w) c", {}),
    ("3 4 6", "c (h p) (w q) -> (h w) (p q c)", {"p": 2, "q": 3}),
    ("3 4 6", "c (h p) (w q) -> (p c q) w h", {"p": 2, "w": 3}),
    ("12 6", "(a b d) c -> b (d c) a", {"a": 2, "b": 3}),
    ("1 4 6", "1 h w -> w 1 h", {}),
    ("3 4 6", "c h w -> () (c h w)", {}),
    ("8 1 2 3", "(x y) 1 h w -> (h y) (x w)", {"x": 4}),
]


@pytest.mark.parametrize(("sizes", "pattern", "given_sizes"), PATTERNS)
def test_rearrange_is_einops(sizes, pattern, given_sizes):
    named = " ".join(f"{name}={size}" for name, size in given_sizes.items())
    feeds, found = output_of(f'input {sizes} -> rearrange "{pattern}" {named}')
    left, right = pattern.split("->")
    wanted = einops.rearrange(feeds["input"], f"N {left}->N {right}", **given_sizes)
    np.testing.assert_array_equal(found, wanted)


@st.composite
def groupings(draw):
    """Elementary axes in two orders, each cut into groups."""
    names = "abcdef"[: draw(st.integers(1, 6))]
    sizes = {name: draw(st.integers(1, 3)) for name in names}

    def cut(order):
        sides, rest = [], list(order)
        while rest:
            count = draw(st.integers(1, len(rest)))
            sides.append(tuple(rest[:count]))
            rest = rest[count:]
        return tuple(sides)

    return Grouping(cut(names), cut(draw(st.permutations(names))), sizes)


@settings(max_examples=300, deadline=None)
@given(groupings(), st.data())
def test_moves_do_what_einops_does_in_any_memory_order(grouping, data):
    def pattern(side):
        return " ".join(f"({' '.join(group)})" for group in side)

    def sizes(side):
        return [int(np.prod([grouping.sizes[name] for name in group])) for group in side]

    before = data.draw(st.permutations(range(len(grouping.left))))
    after = data.draw(st.permutations(range(len(grouping.right))))
    x = np.arange(np.prod(sizes(grouping.left))).reshape(sizes(grouping.left))
    wanted = einops.rearrange(
        x, f"{pattern(grouping.left)} -> {pattern(grouping.right)}", **grouping.sizes
    )
    split, order, joined = grouping.moves(before, after)
    value = x.transpose(before)
    value = value if split is None else value.reshape(split)
    value = value if order is None else value.transpose(order)
    value = value if joined is None else value.reshape(joined)
    np.testing.assert_array_equal(value, wanted.transpose(after))
    assert split is None or order is not None
    assert order is None or list(order) != sorted(order)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("c h w", "it has one `->`"),
        ("c h w -> h -> c", "it has one `->`"),
        ("c (h w -> h w c", "a `(` is not closed before the arrow"),
        ("c h w -> (h w c", "a `(` is not closed"),
        ("c ((h p)) w -> c h p w", "brackets stand within brackets"),
        ("c h) w -> c h w", "a `)` closes nothing"),
        ("c ... -> ... c", "`...` stands for no axis here"),
        ("c h 2 -> c h 2", "`2` is not a name"),
        ("c h ? -> c h", "`?` means nothing"),
        ("c h h -> c h", "`h` stands 2 times on the left"),
        ("c h w -> c h c w", "`c` stands 2 times on the right"),
        ("c h w -> c h", "`w` stands on the left only"),
        ("c h w -> c h w n", "`n` stands on the right only"),
        ("h w -> w h", "its left side has 2 axes, but the tensor is 4 x 6 x 6"),
        ("c (h p) w -> c h p w", "the sizes of `h` and `p` cannot be told from 6"),
        ("(c k) h w -> c k h w", "`(c k)` needs a multiple of 3, but axis `c` is 4"),
        ("1 h w -> h w", "`1` is 1, but axis `c` is 4"),
        ("c h w -> c h w " + "1 " * 6, "it has more than 8 axes"),
    ],
)
def test_patterns_that_cannot_be(pattern, words):
    sizes = {"k": 3} if "k" in pattern else {}
    with pytest.raises(Rejected) as caught:
        solve(Shape.of(4, 6, 6), pattern, sizes)
    assert caught.value.id == "bad-pattern"
    assert words in caught.value.message


def test_a_size_of_no_axis_is_refused():
    with pytest.raises(SpecError, match="the pattern has no axis `q`"):
        graph_of('input 4 6 6 -> rearrange "c h w -> h w c" q=2')
    with pytest.raises(SpecError, match="`p` must be at least 1, got -2"):
        graph_of('input 4 6 6 -> rearrange "c (h p) w -> h w (p c)" p=-2')


@pytest.mark.parametrize(
    ("right", "axes"),
    [
        ("(h w) (p q c)", "tc"),
        ("(y x) (p q) c", "ntc"),
        ("n (y x) (p q) c", "nhwc"),
        ("c (h w)", "ct"),
        ("(c h w)", "c"),
        ("(p c) (h x) w", "chw"),
        ("head t (d c)", "ntc"),
        ("h w (q p c)", "hwc"),
        ("(h w) h2 c", "ntc"),
    ],
)
def test_axes_of_a_pattern_have_letters(right, axes):
    groups = parse_pattern(f"{right} -> {right}")[1]
    assert letters(groups) == axes
    assert len(set(axes)) == len(axes)


LISTS = """
block branches(parts) { for part in @parts { @all += @part -> dense 2 }; add { @all } }
net lists {
  input 12
  @left, @right = halves: split 2
  @parts = split [2, 4, 6]
  @last = @parts[-1]
  @more += @parts
  @more += @left
  branches [@parts[0], @left] -> unsqueeze t -> unstack c -> stack c -> take 0
  out y=@, last=@last, more=(concat { @more }), right=@right
}
"""


def test_lists_of_tensors():
    graph = graph_of(LISTS)
    names = [node.name for node in graph.nodes]
    assert names[:6] == ["input", "halves1", "halves2", "split1", "split2", "split3"]
    assert names[6:9] == ["branches1.dense1", "branches1.dense2", "branches1.add1"]
    by_name = graph.by_name
    assert [by_name[f"split{i}"].shape.sizes for i in (1, 2, 3)] == [(2,), (4,), (6,)]
    assert {output.name: output.node for output in graph.outputs}["last"] == "split3"
    (more,) = [node for node in graph.nodes if node.op.kind == "concat"]
    assert more.inputs == ("split1", "split2", "split3", "halves1")


def test_a_loop_over_tensors_leaves_other_names_alone():
    graph = graph_of("input 6\n@x = dense 2\nfor x in [@, @] { @x -> dense 3 }\n@x -> relu")
    assert graph.nodes[-1].inputs == ("dense1",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@a, @b = split 3", "wrong-count: 2 names, but 3 tensors"),
        ("@a, @b = relu", "wrong-count: 2 names, but one tensor"),
        ("split 4", r"uneven-split: .* 6 / 4 is no whole number"),
        ("split [2, 3]", "uneven-split: axis `c` of 6 is 6, but the parts are 5"),
        ("split 2 axis=t", "unknown-axis"),
        ("split 5000", "too-large: 5000 parts are more than 4096"),
        ("@l = split 2\n@l[2] -> relu", "index-out-of-range"),
        ("@l = 3\n@l[2] -> relu", "unexpected-token"),
        ("@l = relu\n@l[0] -> relu", r"wrong-type: `\[...\]` takes an element of a list"),
        ("split 2", "no-output"),
        ("reshape 2 2", "6 has 6 elements, which 2 x 2 cannot hold"),
        ("reshape -1 -1", "only one size may be -1"),
        ("reshape 1 1 1 1 6", "5 axes have no usual letters"),
        ("reshape 0 6", "0 x 6 is no shape"),
        ("slice c 4 2", "no position of axis `c` lies from 4 up to 2"),
        ("slice c 0 7", "`stop` is 7, but axis `c` of 6 has 6 positions"),
        ("take 0 axis=c", "one element of 6 alone is no tensor"),
        ("roll", "`roll` needs an axis and a shift"),
        ("roll h=1", "unknown-axis"),
        ("expand", "`expand` needs an axis and its size"),
        ("expand c=12", "axis `c` of 6 is not of size 1"),
        ("expand c=0", "`c` must be at least 1, got 0"),
        ("untokens 2 3", "wrong-kind"),
    ],
)
def test_what_cannot_be_is_refused(text, words):
    with pytest.raises(SpecError, match=words):
        graph_of(f"input 6\n{text}")


@pytest.mark.parametrize("op", tuple(partings()), ids=lambda op: op.kind)
def test_partings_give_what_their_examples_say(op):
    for example in op.examples:
        ((sizes),) = example.inputs
        graph = graph_of(f"input {' '.join(map(str, sizes))} -> {example.line}")
        assert graph.nodes[-1].shape.sizes == example.output


def test_the_builder_gives_lists():
    net = Net("lists")
    x = net.input(6)
    a, b = x.split(2, label="halves")
    built = net.graph(a.add(b))
    written = graph_of("input 6\n@a, @b = halves: split 2\nadd { @a | @b }", "lists")
    assert built == written


def test_windows_are_swins():
    """Cyclic shift, partition and reverse as torchvision's Swin does them."""
    feeds, found = output_of("input 3 4 6 -> roll h=-1 w=-1 -> windows 2")
    x = np.roll(feeds["input"].transpose(0, 2, 3, 1), (-1, -1), (1, 2))
    wanted = einops.rearrange(x, "b (y p) (x q) c -> b (y x) (p q) c", p=2, q=2)
    np.testing.assert_array_equal(found, wanted)
    text = "roll h=-1 w=-1 -> windows 2 -> unwindows 4 6 -> roll h=1 w=1"
    feeds, found = output_of(f"input 3 4 6 -> {text}")
    np.testing.assert_array_equal(found, feeds["input"])
