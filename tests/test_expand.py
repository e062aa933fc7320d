"""Expansion: what a spec becomes, node by node."""

# ruff: noqa: E501 (a spec and what it becomes stand on one line)

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph
from netspec.language.expand import expand
from netspec.language.syntax import parse
from netspec.limits import DEFAULT, Limits
from netspec.source import Source

RESNET18 = """
block basic(c, stride=1) {
  add {
    conv1: conv c 3 stride=stride padding=1 bias=false -> bn1: bn -> relu
    -> conv2: conv c 3 padding=1 bias=false -> bn2: bn
  | if stride > 1 or @.c != c { downsample.0: conv c 1 stride=stride bias=false -> downsample.1: bn }
  } -> relu
}
net resnet18(classes=1000) {
  input 3 224 224
  conv1: conv 64 7 stride=2 padding=3 bias=false -> bn1: bn -> relu -> pool 3 stride=2 padding=1
  for i, (c, stride) in enumerate([(64, 1), (128, 2), (256, 2), (512, 2)]) {
    layer{i + 1}: for j in range(2) { basic c (stride if j == 0 else 1) }
  }
  gap -> fc: dense classes
}
"""


def graph(
    text: str,
    net: str | None = None,
    overrides: Mapping[str, object] | None = None,
    input_shape: Sequence[int] | None = None,
    limits: Limits = DEFAULT,
    name: str = "t.net",
) -> Graph:
    file = parse(Source(name, text), limits)
    return expand(file, net=net, overrides=overrides, input_shape=input_shape, limits=limits)


def nodes(text: str, **options: object) -> str:
    """`name(inputs) shape`, with the input's node left out, joined by ` | `."""
    found = graph(text, **options).nodes  # type: ignore[arg-type]
    return " | ".join(
        f"{node.name}({', '.join(node.inputs)}) {str(node.shape).replace(' ', '')}"
        for node in found
        if node.inputs
    )


def mistakes(text: str, **options: object) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        graph(text, **options)  # type: ignore[arg-type]
    return list(caught.value.diagnostics)


def ids(text: str, **options: object) -> list[str]:
    return [diagnostic.id for diagnostic in mistakes(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # pipelines and the current tensor
        ("input 8\ndense 4\n-> relu\ndense 2", "dense1(input) 4 | relu1(dense1) 4 | dense2(relu1) 2"),
        ("input 8; @skip = @; dense 8; add { @ | @skip }", "dense1(input) 8 | add1(dense1, input) 8"),
        ("input 8\n@a = dense 4\ndense 2", "dense2(input) 2"),
        ("input 8\n@a = dense 4\n@a -> relu", "dense1(input) 4 | relu1(dense1) 4"),
        ("input 3 4 4\nconv (2*@.c) @.h -> conv @.c 1", "conv1(input) 6x1x1 | conv2(conv1) 6x1x1"),
        ("input 3 8 8\n@x = conv @.shape[0] 3\ndense @x.h", "flatten1(input) 192 | dense1(flatten1) 6"),
        # branches
        ("input 8\nadd { dense 8 | }", "dense1(input) 8 | add1(dense1, input) 8"),
        ("input 8\nadd { dense 8 -> relu | @ | dense 8 }", "dense1(input) 8 | relu1(dense1) 8 | dense2(input) 8 | add1(relu1, input, dense2) 8"),
        ("input 8\nconcat { dense 2; relu | dense 3 }", "dense1(input) 2 | relu1(dense1) 2 | dense2(input) 3 | concat1(relu1, dense2) 5"),
        ("input 2 4\nconcat axis=t { @ | @ }", "concat1(input, input) 4x4"),
        ("input 8\nresidual { dense 8 }", "dense1(input) 8 | add1(dense1, input) 8"),
        ("input 8\nresidual when=(@.c == 9) { dense 8 }", "dense1(input) 8"),
        ("input 8\nlet c = @.c\nmul { @ | dense 2 -> dense c }", "dense1(input) 2 | dense2(dense1) 8 | mul1(input, dense2) 8"),
        # conditions and loops
        ("input 8\nif @.c > 4 { dense 4 } else { dense 2 }", "dense1(input) 4"),
        ("input 8\nif false { relu } else if true { tanh }", "tanh1(input) 8"),
        ("input 8\nif none { relu }\ndense 2", "dense1(input) 2"),
        ("input 8\nrepeat 2 { dense 4 -> relu }", "dense1(input) 4 | relu1(dense1) 4 | dense2(relu1) 4 | relu2(dense2) 4"),
        ("input 8\nrepeat 0 { dense 4 }\ndense 2", "dense1(input) 2"),
        ("input 8\nfor i, (c, n) in enumerate([(4, 2), (3, 1)]) { repeat n { dense (c+i) } }", "dense1(input) 4 | dense2(dense1) 4 | dense3(dense2) 4"),
        ("input 8\nlet c = 9\nfor c in [1, 2] { dense c }\ndense c", "dense1(input) 1 | dense2(dense1) 2 | dense3(dense2) 9"),
        ("input 8\nlet c = 2\nrepeat 3 { dense c; let c = c * 2 }", "dense1(input) 2 | dense2(dense1) 4 | dense3(dense2) 8"),
        ("input 8\nfor i in range(2) { @z = dense 3; @all += @z -> relu }\nadd { @all }", "dense1(input) 3 | relu1(dense1) 3 | dense2(input) 3 | relu2(dense2) 3 | add1(relu1, relu2) 3"),
        ("input 8\n@last = @\nrepeat 2 { @new = dense 8; add { @ | @last }; @last = @new }", "dense1(input) 8 | add1(input, input) 8 | add2(add1, dense1) 8"),
        # expressions
        ("input 8\nlet a, b = [3, 4]\ndense (a if a > b else b)", "dense1(input) 4"),
        ("input 8\nfor c in [2**i for i in range(4) if i % 2] { dense c }", "dense1(input) 2 | dense2(dense1) 8"),
        ("input 8\nfor a, b in zip([1, 2], [3, 4]) { dense (a*b) }", "dense1(input) 3 | dense2(dense1) 8"),
        ("input 8\ndense int(round(2.6) + floor(1.9) + ceil(1.1) + abs(-1) + sqrt(4) + log2(8))", "dense1(input) 12"),
        ("input 8\ndense divisible(32*1.4) -> dense max([1, 2]) -> dense min(3, 4) -> dense len([1, 2])", "dense1(input) 48 | dense2(dense1) 2 | dense3(dense2) 3 | dense4(dense3) 2"),
        ("input 8\nlet w = [4] * 2 + [3]\nfor c in w { dense c }", "dense1(input) 4 | dense2(dense1) 4 | dense3(dense2) 3"),
        ("input 8\nif 1 < 2 <= 2 and not (none or false) { relu }", "relu1(input) 8"),
        ("input 8\nfor i in [1, 2] { if i in [2, 3] { dense i } }\nif 8 not in [1, [8]] and 3 < 4 in [4] { relu }", "dense1(input) 2 | relu1(dense1) 2"),
        # names
        ("input 8\nstem: dense 4 -> body.0: relu", "stem(input) 4 | body.0(stem) 4"),
        ("input 8\nstem: { dense 4 -> relu }\nrelu", "stem.dense1(input) 4 | stem.relu1(stem.dense1) 4 | relu1(stem.relu1) 4"),
        ("input 8\nblocks: repeat 2 { dense 4 }", "blocks.0(input) 4 | blocks.1(blocks.0) 4"),
        ("input 8\nblocks: repeat 1 { dense 4 -> relu }", "blocks.0.dense1(input) 4 | blocks.0.relu1(blocks.0.dense1) 4"),
        ("input 8\nblocks: repeat 1 { a: dense 4 }", "blocks.0.a(input) 4"),
        ("input 8\nb: for i in [5] { x{i}: dense i }", "b.0.x5(input) 5"),
        ("input 8\nb: { {2 + 3}: dense 5 }", "b.5(input) 5"),
        ("input 8\nno: if false { relu }\nno: repeat 0 { relu }\nno: if false { relu } else if true { tanh }", "no.tanh1(input) 8"),
        ("input 8\nmaybe: if true { dense 4 }", "maybe.dense1(input) 4"),
        ("input 8\n{ dense 4 }\nsum: residual { dense 4 }", "dense1(input) 4 | dense2(dense1) 4 | sum(dense2, dense1) 4"),
        # inputs
        ("@a = input 4\n@b = input 4\nsum: add { @a | @b }", "sum(a, b) 4"),
        ("@m = input 4 -> relu\n@m -> dense 2", "relu1(m) 4 | dense1(relu1) 2"),
    ],
)  # fmt: skip
def test_what_a_spec_becomes(text: str, expected: str) -> None:
    assert nodes(text) == expected


BLOCKS = """
block unit(c, act=relu, norm=none) { dense c -> norm -> act }
block twice(c, body) { body c -> body c }
block gate(@KV) { mul { @ | @kv } }
block down(n) { if n > 0 { dense n -> down (n-1) } }
block pick(widths=[3, 2], last=widths[0] * 2) { dense widths[1] -> dense last }
""".replace("@KV", "kv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unit 4", "unit1.dense1(input) 4 | unit1.relu1(unit1.dense1) 4"),
        ("unit 4 act=tanh", "unit1.dense1(input) 4 | unit1.tanh1(unit1.dense1) 4"),
        ("let a = tanh\nunit c=4 act=a norm=bn", "unit1.dense1(input) 4 | unit1.bn1(unit1.dense1) 4 | unit1.tanh1(unit1.bn1) 4"),
        ("twice 4 dense", "twice1.dense1(input) 4 | twice1.dense2(twice1.dense1) 4"),
        ("twice 4 unit -> dense 1", "twice1.unit1.dense1(input) 4 | twice1.unit1.relu1(twice1.unit1.dense1) 4 | twice1.unit2.dense1(twice1.unit1.relu1) 4 | twice1.unit2.relu1(twice1.unit2.dense1) 4 | dense1(twice1.unit2.relu1) 1"),
        ("@x = dense 8\ngate @x", "dense1(input) 8 | gate1.mul1(input, dense1) 8"),
        ("down 2", "down1.dense1(input) 2 | down1.down1.dense1(down1.dense1) 1"),
        ("pick", "pick1.dense1(input) 2 | pick1.dense2(pick1.dense1) 6"),
        ("pick [5, 4]", "pick1.dense1(input) 4 | pick1.dense2(pick1.dense1) 10"),
        ("head: unit 4", "head.dense1(input) 4 | head.relu1(head.dense1) 4"),
    ],
)  # fmt: skip
def test_blocks(text: str, expected: str) -> None:
    assert nodes(f"{BLOCKS}\ninput 8\n{text}") == expected


def test_scopes_remember_blocks_and_plain_arguments() -> None:
    scopes = graph(f"{BLOCKS}\ninput 8\n@x = dense 8\ngate @x\nunit 4 norm=bn").scopes
    assert [(scope.path, scope.block, scope.arguments) for scope in scopes] == [
        ("gate1", "gate", {}),
        ("unit1", "unit", {"c": 4, "act": "relu", "norm": "bn"}),
    ]


def test_resnet18_has_the_names_of_torchvision() -> None:
    resnet = graph(RESNET18)
    weighted = {node.name for node in resnet.nodes if resnet_weights(resnet, node.name)}
    expected = {"conv1", "bn1", "fc"}
    for layer in range(1, 5):
        for number in (0, 1):
            expected |= {
                f"layer{layer}.{number}.{name}" for name in ("conv1", "bn1", "conv2", "bn2")
            }
        if layer > 1:
            expected |= {f"layer{layer}.0.downsample.{number}" for number in (0, 1)}
    assert weighted == expected
    assert resnet.nodes[-1].shape.sizes == (1000,)


def resnet_weights(resnet: Graph, name: str) -> bool:
    by_name = {node.name: node for node in resnet.nodes}
    node = by_name[name]
    return bool(node.op.weights(*(by_name[i].shape for i in node.inputs)))


def test_results() -> None:
    named = graph("input 8\n@e = dense 4\ndense 2\nout logits=@, (@e -> relu), e=@e")
    assert [(output.name, output.node) for output in named.outputs] == [
        ("logits", "dense2"),
        ("output", "relu1"),
        ("e", "dense1"),
    ]
    assert graph("input 8 -> dense 2").outputs[0].node == "dense1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("dir/my-net.net", "my_net"), ("<stdin>", "stdin"), ("2.net", "net")],
)
def test_a_file_without_a_header_is_a_net_named_after_it(name: str, expected: str) -> None:
    assert graph("input 8 -> relu", name=name).name == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # several independent mistakes come out together, and nothing that follows from them
        ("input 8\ncovn 3 -> dense 4 -> rleu\ndense @.c", ["unknown-op", "unknown-op"]),
        ("input 8\nlet c = 1 / 0\ndense c\n@x = dens 4\nadd { @ | @x }", ["division-by-zero", "unknown-op"]),
        ("input 8\nshare enc = dens 4\nenc -> enc -> dense @.c", ["unknown-op"]),
        ("input 8\nshare enc = dense 4\nenc -> enc -> tied enc", ["unlike-use"]),
        ("@a, @b = split 2\ninput 8\nadd { @a | @b }", ["no-input"]),
        ("input 3 8 8\nrepeat 9 { conv c 3 }", ["unknown-name"]),
        ("block b(c) { dens c }\ninput 8\nb 3 -> b 4", ["unknown-op"]),
        ("input 8\ndense 4 -> out", ["reserved-word"]),
        ("use \"a.net\"\ninput 8", ["no-folder"]),
        ("input 8\nnrom: bnn -> dense 2 units=3", ["unknown-op", "repeated-argument"]),
        ("net a { input 8 -> dense 2 }\nnet a { }", ["duplicate-definition"]),
        ("block f(a, a) { relu }\ninput 8", ["duplicate-definition"]),
        ("input 8\nout a=@, a=@", ["duplicate-name"]),
        ("input 8\n@x = relu\nout @x, output=@", ["duplicate-name"]),
        ("output: input 8\nrelu", ["duplicate-name"]),
        ("input 8\nresidual when=true when=false { relu }", ["repeated-argument"]),
        ("input 8\na+b: relu", ["bare-operator"]),
        ("input 8\n_x: relu", ["bad-name"]),
        ("input 8\n0-1: relu", ["bad-name"]),
        ("let x = missing\ninput 8", ["unknown-name"]),
        ("input 8\ndense (none + 1) -> dense [1] -> dense (true * 2)", ["wrong-type", "bad-argument", "wrong-type"]),
        ("input 8\nfor i in 3 { relu }", ["wrong-type"]),
        ("input 8\nrepeat 1.5 { relu }", ["wrong-type"]),
        ("input 8\nlet a, b = 3", ["wrong-count"]),
        ("input 8\n@all += dense 2\n@all += relu\n@all -> relu", ["wrong-arity"]),
    ],
)  # fmt: skip
def test_independent_mistakes(text: str, expected: list[str]) -> None:
    assert ids(text) == expected


def test_a_mistake_inside_a_block_tells_the_way_there() -> None:
    (mistake,) = mistakes(
        "block a(n) { b (n+1) }\nblock b(m) { repeat 2 { conv m 3 } }\n"
        "input 3 4 4\nfor i in [7] { conv 3 1 -> a i }"
    )
    assert mistake.id == "window-too-large"
    assert [note.message for note in mistake.trace] == [
        "in round 2 of 2",
        "in `b`, called with m = 8",
        "in `a`, called with n = 7",
        "in the loop, with i = 7",
    ]
    assert [note.message for note in mistake.notes] == ["output is 8 x 2 x 2"]


def test_a_numbered_call_may_follow_lets() -> None:
    found = graph(
        "block unit(c) { conv c 1 -> relu }\n"
        "input 3 8 8\nlayer: for i in range(2) { let c = 4 + i; unit c }"
    )
    assert [scope.path for scope in found.scopes] == ["layer", "layer.0", "layer.1"]
    assert found.outputs[0].node == "layer.1.relu1"


def test_limits_can_be_changed() -> None:
    text = "input 8\nrepeat 10 { relu }"
    assert len(graph(text).nodes) == 11
    assert ids(text, limits=DEFAULT._replace(nodes=5)) == ["over-limit"]
    deep = "block f(n) { if n > 0 { f (n-1) } else { relu } }\ninput 8\nf 500"
    assert ids(deep) == ["over-limit"]
    assert len(graph(deep, limits=DEFAULT._replace(calls=600)).nodes) == 2
    many = "input 8\n" + "".join(f"op{i}\n" for i in range(50))
    assert len(ids(many)) == DEFAULT.errors


def test_positions_are_those_of_the_words() -> None:
    position = graph("input 8\n  fc: dense 4").positions["fc"]
    assert position[1:] == (2, 7, 2, 12)


def rates(text: str) -> list[float]:
    return [getattr(node.op, "rate") for node in graph(text).nodes if node.op.kind == "drop_path"]  # noqa: B009


def test_a_schedule_runs_over_the_whole_net() -> None:
    block = "block b(rate) { residual { dense 8 -> drop_path rate } }\n"
    body = "net n { input 8\nrepeat 2 { b linear(0.2) } -> drop_path 0.7 -> b linear(0.1, 0.4) }"
    assert rates(block + body) == [0, round(0.2 / 3, 12), 0.7, 0.4]
    assert rates("input 8 -> drop_path linear(0.1, 0.2)") == [0.1]


def test_a_drop_path_without_its_shortcut_counts_and_is_left_out() -> None:
    body = "residual when=(c == @.c) { dense c -> drop_path linear(0.4) }"
    assert rates(f"input 8\nfor c in [8, 4, 4, 8, 8] {{ {body} }}") == [0, 0.2, 0.4]
    within = "residual when=false { dense 8 -> add { drop_path 0.1 | @ } -> drop_path 0.2 }"
    assert rates(f"input 8\n{within}") == [0.1]


def test_a_schedule_is_for_ops_that_take_one() -> None:
    assert ids("input 8\ndropout linear(0.2)") == ["wrong-type"]
    assert ids("input 8\ndrop_path linear(0.2, 1.5)") == ["bad-function-argument"]
    assert ids("input 8\ndrop_path linear()") == ["bad-function-argument"]


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("conv (64, 3)", "conv 64 3"),
        ("dense [64, true]", "dense 64 true"),
        ("unit (8, 3)", "unit 8 3"),
    ],
)
def test_arguments_in_one_list_are_taken_out_of_it(line: str, cure: str) -> None:
    text = f"block unit(c, k) {{ conv c k }}\nlet c = 1\ninput 3 8 8\n{line}\n"
    with pytest.raises(SpecError) as caught:
        graph(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help == f"arguments are separated by blanks: `{cure}`"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("input 3 4 5\nlet c = 3\nsoftmax axis=c", "c"),
        ("input 3 4 5\nlet h = 3\nslice h 0 h", "h"),
        ("input 3 4 5\nlet half = [1]\nconv 3 3 padding=[half]", None),
        ("input 3 4 5\nlet n = 3.5\nconv n 3", None),
    ],
)
def test_an_argument_that_a_variable_hides_is_told(text: str, hidden: str | None) -> None:
    (mistake,) = mistakes(text)
    assert mistake.id == "bad-argument"
    assert (f'write `"{hidden}"` for the word' in (mistake.help or "")) == (hidden is not None)
