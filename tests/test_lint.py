"""The linter: every rule by its own page's programs, fixes that keep the meaning, and what silences what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import netspec
from netspec.backend import load_backend
from netspec.ir import Graph
from netspec.language.nets import parse_override
from netspec.lint import Rule, all_rules, check_source, fix_source
from netspec.lint.check import Options, Report
from netspec.lint.files import check_file
from netspec.lint.rule import matching, selectors
from netspec.lint.rules.activations import ACTIVATIONS, NORMS, SOFTMAX
from netspec.lint.rules.training import LINEAR, NOISE
from netspec.lint.rules.windows import POOLS
from netspec.ops import all_ops
from netspec.source import Source
from netspec.weights import init_weights
from tests.programs import programs

ROOT = Path(__file__).parent.parent
RULES = list(all_rules())
ALL = frozenset(rule.id for rule in RULES)
SHIPPED = sorted([*(ROOT / "examples").rglob("*.net"), ROOT / "grammar" / "stdlib.net"])


def lint(text: str, *, rules: frozenset[str] = ALL, **options: object) -> Report:
    return check_source(Source("t.net", text), rules, None, Options(**options))


def ids(text: str, **options: object) -> list[str]:
    return [diagnostic.id for diagnostic in lint(text, **options).diagnostics]


def fixed(text: str) -> str:
    report, _ = fix_source(Source("t.net", text), ALL)
    return report.source.text


# ---- the rules' own pages ----


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_bad_program_has_this_habit_and_no_other(rule: Rule) -> None:
    report = lint(rule.bad)
    assert {each.id for each in report.diagnostics} == {rule.id}
    assert all(each.severity == "warning" and each.span for each in report.diagnostics)
    assert rule.fixable == any(each.fix is not None for each in report.diagnostics)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_good_program_has_none(rule: Rule) -> None:
    assert ids(rule.good) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_page_is_written_as_fmt_writes_it(rule: Rule) -> None:
    from netspec.format import format_source

    for text in (rule.bad, rule.good):
        assert format_source(Source("t.net", text)) == text
    assert not rule.summary.endswith(".")
    assert rule.why.endswith(".")


def test_a_family_is_no_rule_and_no_beginning_of_one() -> None:
    families = {rule.family for rule in RULES}
    assert not families & ALL
    for word in selectors():
        assert matching(word)
    assert matching("unused") == {rule.id for rule in RULES if rule.family == "unused"}


def test_the_ops_that_rules_speak_of_exist() -> None:
    named = {*ACTIVATIONS, *LINEAR, *NOISE, *NORMS, *POOLS, *SOFTMAX}
    assert named <= {op.kind for op in all_ops()}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("input 3 ?H ?W\nconv 8 3 stride=2 padding=same -> relu\n", []),
        ("block idle { for i in range() { relu } }\n", []),
        ("input 8\nlet n = 1 - 2\nfor i in range(n) { dense 8 }\ndense 2\n", ["unused-variable"]),
    ],
)
def test_what_no_rule_can_judge_or_mend_is_left_alone(text: str, found: list[str]) -> None:
    report, fixes = fix_source(Source("t.net", text), ALL)
    assert ([each.id for each in report.diagnostics], fixes) == (found, 0)


def test_what_the_caller_sets_is_not_removed() -> None:
    options = Options(overrides={"hidden": 4})
    report, fixes = fix_source(
        Source("t.net", "let hidden = 3\ninput 8\nrelu\n"), ALL, None, options
    )
    assert ([each.id for each in report.diagnostics], fixes) == (["unused-variable"], 0)


# ---- what is shipped ----


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_is_shipped_is_clean(path: Path) -> None:
    """As configured: the networks of the tutorials keep the habits that they are known with."""
    shape = (3, 32, 32) if path.name == "line.net" else None
    report, _ = check_file(Source(str(path), path.read_text()), str(path), Options(None, {}, shape))
    assert report.diagnostics == ()


# ---- fixes ----


def results(graph: Graph) -> dict[str, np.ndarray]:
    """What a net makes of noise; weights are drawn by their names."""
    rng = np.random.default_rng(0)
    inputs = {node.name: rng.normal(size=(2, *node.shape.sizes)) for node in graph.inputs}
    weights = init_weights(graph, 3)
    return load_backend("reference").open_session(graph, weights, "float64").predict(inputs)


FIXES = {
    "bias-before-batch-norm": [
        (
            "input 3 8 8\nconv 8 3 bias=true -> bn\n",
            "input 3 8 8\nconv 8 3 bias=false -> bn\n",
        ),
        (
            "input 3 8 8\nconv 8 3 1 0 1 1 true -> bn\n",
            "input 3 8 8\nconv 8 3 1 0 1 1 false -> bn\n",
        ),
        (
            "block unit(c) { a: conv c 3 -> bn }\ninput 3 8 8\nunit 4 -> unit 4\n",
            "block unit(c) { a: conv c 3 bias=false -> bn }\ninput 3 8 8\nunit 4 -> unit 4\n",
        ),
        ("input 8\ndense 4 -> bn -> relu\n", "input 8\ndense 4 bias=false -> bn -> relu\n"),
    ],
    "idle-step": [
        ("input 3 8 8\ngap -> flatten\n-> dense 2\n", "input 3 8 8\ngap\n-> dense 2\n"),
        ("input 8\nflatten -> dense 2\n", "input 8\ndense 2\n"),
        ("input 8\n@x = @ -> flatten\n@x -> dense 2\n", "input 8\n@x = @\n@x -> dense 2\n"),
        ("input 8\ndropout 0 -> dense 2 -> dropout 0\n", "input 8\ndense 2\n"),
        ("input 3 8 8\npool 1 -> conv 8 3\n", "input 3 8 8\nconv 8 3\n"),
    ],
    "stacked-activations": [
        ("input 8\nrelu -> relu -> relu -> dense 2\n", "input 8\nrelu -> dense 2\n"),
        ("input 8\nrelu\n-> relu\n", "input 8\nrelu\n"),
    ],
    "constant-condition": [
        ("input 8\nif false { relu } else { tanh }\n", "input 8\n{ tanh }\n"),
        ("input 8\ndense (4 if true else 8)\n", "input 8\ndense (4)\n"),
        (
            "input 8\nif true {\n  if 1 { relu }\n  dense 3\n}\n",
            "input 8\n{\n  { relu }\n  dense 3\n}\n",
        ),
    ],
    "redundant-loop": [("input 8\nrepeat 1 { dense 8 }\n", "input 8\n{ dense 8 }\n")],
    "unused-variable": [
        ("input 8\nlet a = 1; dense 4\n", "input 8\ndense 4\n"),
        ("input 8\ndense 4; let a = 1\n", "input 8\ndense 4\n"),
        ("input 8\nlet a, b = [1, 2]\ndense 4", "input 8\ndense 4"),
        ("input 8\nlet a = 1\nlet b = a\ndense 4\n", "input 8\ndense 4\n"),
        ("input 8\n{ let a = 1 }\ndense 4\n", "input 8\n{ }\ndense 4\n"),
        (
            "net n { input 8; layer: for i in range(2) { dense 4 } }\n",
            "net n { input 8; layer: repeat 2 { dense 4 } }\n",
        ),
    ],
    "unused-ignore": [
        ("input 8  # netspec: ignore[unused]\n", "input 8\n"),
        ("# netspec: ignore-file[unused]\ninput 8\n", "input 8\n"),
        (
            "input 8\ndense 1 -> softmax  # netspec: ignore[unused, softmax-of-one]\n",
            "input 8\ndense 1 -> softmax  # netspec: ignore[softmax-of-one]\n",
        ),
    ],
}


def test_every_rule_with_a_fix_is_here() -> None:
    assert set(FIXES) == {rule.id for rule in RULES if rule.fixable}


@pytest.mark.parametrize(
    ("before", "after"),
    [pytest.param(*pair, id=f"{id_}-{n}") for id_ in FIXES for n, pair in enumerate(FIXES[id_])],
)
def test_a_fix_gives_clean_code(before: str, after: str) -> None:
    assert fixed(before) == after
    assert not [each for each in lint(after).diagnostics if each.fix]


@pytest.mark.parametrize(
    "before",
    [pytest.param(pair[0], id=f"{id_}-{n}") for id_ in FIXES for n, pair in enumerate(FIXES[id_])],
)
def test_a_fix_keeps_the_meaning(before: str) -> None:
    """The same numbers; of the weights, only a bias that a batch norm takes away may go."""
    one, other = netspec.parse(before, name="t"), netspec.parse(fixed(before), name="t")
    old, new = dict(one.weights()), dict(other.weights())
    gone = old.keys() - new.keys()
    assert new.keys() <= old.keys()
    assert all(name.endswith(".bias") for name in gone)
    if gone:
        restored = [
            node.model_copy(update={"op": one.by_name[node.name].op}) for node in other.nodes
        ]
        assert other.model_copy(update={"nodes": tuple(restored)}) == one
        assert all(getattr(node.op, "bias", False) is False for node in other.nodes)
    else:
        for name, array in results(one).items():
            np.testing.assert_array_equal(results(other)[name], array)


@pytest.mark.parametrize(
    "text",
    [
        "input 8\nrelu\n-> relu  # why\n-> tanh\n",  # the comment would stay beside something else
        "input 8\nrelu  # first\n-> relu\n",
        "input 8\nlet a = 1  # one\ndense 4\n",
        "input 8\nif true { relu } else { tanh }  # no\n",
        "input 8\nif true {\n  relu\n} else {\n  tanh  # no\n}\n",
    ],
)
def test_no_fix_takes_a_comment_with_it(text: str) -> None:
    assert text.count("#") == fixed(text).count("#")


@pytest.mark.parametrize(
    "text",
    [
        "net n(a=true) { input 8 -> if a { relu } -> relu -> dense 2 }\n",
        "net n(act=relu) { input 8 -> act -> relu -> dense 2 }\n",
    ],
)
def test_no_fix_rests_on_what_a_parameter_may_change(text: str) -> None:
    assert ids(text) == ["stacked-activations"]
    assert fixed(text) == text


def test_fixes_that_meet_are_applied_in_rounds() -> None:
    text = "input 3 8 8\nif true { if true { conv 8 3 -> bn -> relu -> relu } }\n"
    report, count = fix_source(Source("t.net", text), ALL)
    assert report.source.text == "input 3 8 8\n{ { conv 8 3 bias=false -> bn -> relu } }\n"
    assert (count, report.diagnostics) == (4, ())


def test_a_text_with_mistakes_is_not_touched() -> None:
    text = "input 3 8 8\nconv 8 3 -> bn -> covn\n"
    report, count = fix_source(Source("t.net", text), ALL)
    assert (report.source.text, count) == (text, 0)
    assert [each.id for each in report.diagnostics] == ["unknown-op"]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_only_diagnostics_come_out_of_random_programs(text: str) -> None:
    report, _ = fix_source(Source("t.net", text), ALL)
    assert isinstance(report, Report)


# ---- what is reported, and what is not ----


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # a step of a block is judged by all of its calls
        ("block b(norm) { conv 3 1 -> if norm { bn } }\ninput 3 8 8\nb true -> b false\n", []),
        # what an `if` decides may be otherwise
        ("net n(norm=true) { input 3 8 8 -> conv 3 1 -> if norm { bn } }\n", []),
        ("net n(a=true) { input 3 8 8 -> if a { gap } -> flatten -> dense 2 }\n", []),
        ("net n(pool=gap) { input 3 8 8 -> pool -> flatten -> dense 2 }\n", []),
        (
            "net n(a=true) { input 3 8 8 -> if a { conv 3 1 -> bn } -> gap }\n",
            ["bias-before-batch-norm"],
        ),
        # a norm that a variable stands for may be none
        ("net n(norm=bn) { input 3 8 8 -> conv 3 1 -> norm }\n", []),
        # the value before the norm is used elsewhere, or is a result
        ("input 3 8 8\n@x = conv 3 1\n@y = @x -> bn\nadd { @x | @y }\n", []),
        ("input 3 8 8\n@x = conv 3 1\n@x -> bn\nout a=@, b=@x\n", []),
        # attention weighs by softmax
        ("input 8\n@w = softmax\nmul { @ | @w } -> dense 2\n", []),
        ("input 8\ndense 4 -> softmax -> dropout 0.1 -> dense 2\n", ["softmax-before-layers"]),
        ("input 8\n@p = dense 4 -> softmax\n@p -> dense 2\nout a=@, p=@p\n", []),
        # a narrow layer between wide ones is a low rank
        ("input 64\ndense 8 bias=false -> dense 64\n", []),
        ("input 64\ndense 64 -> dropout 0.1 -> dense 64\n", ["stacked-linear-layers"]),
        ("input 8\nmul { @ | @ }\n", []),
        ("net n(rate=0) { input 8 -> dropout rate -> dense 2 }\n", []),
        ("net n(rate=0) { input 8 -> dropout rate -> bn -> dense 2 }\n", []),
        ("input 8\ndropout 1 -> dense 2\n", ["extreme-dropout-rate"]),
        ("input 3 2 2\npool 2 -> flatten -> dense 2\n", []),
        ("input 3 2 2\npool 3 stride=2 padding=1 -> gap\n", ["pool-covers-map"]),
        ("input 3 8 8\nconv 8 1 stride=2\n", []),
        ("input 3 9 9\nconv 8 3 dilation=2 stride=4\n", []),
        ("input 3 8 8\nconv 8 3 padding=half -> conv 8 4 padding=same\n", []),
        ("input 3 8 8\nconv 8 3 padding=3\n", ["padding-beyond-window"]),
        ("input 8\nlayer1: repeat 1 { dense 8 }\n", []),
        ("input 8\nrepeat 0 { dense 8 }\n", ["redundant-loop"]),
        ("input 8\nresidual when=true { dense 8 }\n", ["constant-condition"]),
        # sizes known only at run time prove nothing
        ("input ?T 8\ndense 8 -> dense 8\n", ["stacked-linear-layers"]),
        ("input 3 ?H ?W\navgpool 8 -> gap -> dense 8\n", []),
        ("input ?T 1\nsoftmax axis=t\n", []),
        # names
        ("block a { b }\nblock b { a }\ninput 8\n", ["unused-block", "unused-block"]),
        ("block a { relu }\nlet x = 3\n", ["unused-variable"]),
        ("let x = 3\nblock a { dense x }\n", []),
        ("block a(f=relu) { f }\nblock b { relu }\ninput 8\na b\n", []),
        ("block a(_kept) { relu }\ninput 8\na 3\n", []),
        ("block a(skip) { add { @ | @skip } }\ninput 8\n@x = dense 8\na @x\n", []),
        ("share a = dense 8\nshare b = relu\ninput 8\na -> a\n", ["unused-variable"]),
        (
            "share a = conv 3 3 padding=1\n@i = input 3 8 8\n@x = @i -> a -> bn\n"
            "@y = @i -> a\nadd { @x | @y }\n",
            [],
        ),
        ("input 8\nfor _ in range(3) { dense 8 }\n", []),
        ("input 8\nfor c, n in [(8, 1), (8, 2)] { dense c }\n", []),
        ("input 8\nfor i in range(2) { l{i}: dense 8 }\n", []),
        ("input 8\n@a += dense 2\n@a += dense 3\ndense 3\n", ["unused-tensor", "unused-tensor"]),
        ("@a = input 8\n@b = input 4\n@a -> dense 3\n", ["unused-tensor"]),
        ("input 8\ninput 4\ndense 3\n", ["unused-step"]),
        ("input 8\n@x = dense 2\nout a=@x\ndense 2 -> dense 9 -> relu\n", ["unused-step"]),
        # a call whose result nobody uses is one finding, at the call; in another call the block is used
        (
            "block b { dense 8 -> relu }\ninput 8\n@x = @\nb\n@x -> b\n",
            ["unused-step"],
        ),
        (
            "block b { dense 8 -> relu }\ninput 8\n@x = @\nrepeat 2 { b }\n@x -> b\n",
            ["unused-step"],
        ),
    ],
)
def test_what_is_reported(text: str, wanted: list[str]) -> None:
    assert ids(text) == wanted


def test_a_step_in_a_block_is_reported_once() -> None:
    text = "block b(c) { conv c 3 -> bn }\ninput 3 32 32\nrepeat 5 { b 4 }\n"
    assert ids(text) == ["bias-before-batch-norm"]


def test_every_net_of_a_file_is_checked() -> None:
    text = (
        "block b { conv 8 3 -> bn }\n"
        "net one { input 3 8 8 -> b }\n"
        "net two { input 3 8 8 -> b -> covn }\n"
        "net three { input 3 8 8 -> dense 1 -> softmax }\n"
    )
    assert ids(text) == ["unknown-op"]
    assert ids(text, net="one") == ["bias-before-batch-norm"]
    assert ids(text.replace(" -> covn", "")) == ["bias-before-batch-norm", "softmax-of-one"]
    report = lint(text.replace(" -> covn", ""))
    assert [line.partition(":")[0] for line in report.summaries] == ["one", "two", "three"]


def test_a_mistake_that_nets_share_is_reported_once() -> None:
    text = "block b { covn }\nnet one { input 3 -> b }\nnet two { input 3 -> b }\n"
    assert ids(text) == ["unknown-op"]


def test_what_stands_in_another_file_is_not_reported(tmp_path: Path) -> None:
    (tmp_path / "b.net").write_text("block unit(c) { conv c 3 -> bn }\n")
    path = tmp_path / "a.net"
    path.write_text('use "b.net"\ninput 3 8 8\nunit 8\n')
    report, _ = check_file(Source(str(path), path.read_text()), str(path), Options())
    assert (report.diagnostics, len(report.graphs)) == ((), 1)


def test_options_reach_the_nets() -> None:
    text = "net n(classes=10) { dense classes -> softmax }\n"
    overrides = dict([parse_override("classes=1")])
    assert ids(text, input_shape=(8,)) == []
    assert ids(text, input_shape=(8,), overrides=overrides) == ["softmax-of-one"]
