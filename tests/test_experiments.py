"""Variants of networks by their structure, statistics against SciPy, and both commands end to end."""

from __future__ import annotations

import json
from math import inf

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import netspec
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.experiments import added, read_choices, reordered, without
from netspec.experiments.running import Outcome
from netspec.experiments.statistics import compare, estimate, holm, p_value
from netspec.experiments.study import Study, prove
from netspec.experiments.tuning import Candidate, Tuning
from netspec.passes import Model
from netspec.training.history import History

NET = """net small(rate=0.3, width=4) {
  input 1 8 8
  conv width 3 padding=1 bias=false -> bn -> relu -> pool 2
  -> dense 16 -> relu -> dropout rate -> dense 10
}"""
SMALL = netspec.parse(NET)
TWO = netspec.parse("""
block unit(c) { residual { conv c 3 padding=1 bias=false -> bn } -> relu -> dropout 0.2 }
net two { input 4 5 5 -> a: unit 4 -> b: unit 4 -> gap -> dense 3 }
""")


def kinds(graph):
    return [node.op.kind for node in graph.nodes]


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        ("dropout", {"dropout1"}),
        ("norm", {"bn1"}),
        ("activation", {"relu1", "relu2"}),
        ("relu2", {"relu2"}),
    ],
)
def test_layers_are_left_out_by_op_family_and_path(what, gone):
    variant = without(SMALL, what)
    assert {node.name for node in SMALL.nodes} - {node.name for node in variant.graph.nodes} == gone


def test_what_a_batch_norm_did_for_a_layer_without_bias_is_done_by_a_bias():
    variant = without(TWO, "bn")
    assert not any(kind == "bn" for kind in kinds(variant.graph))
    assert {n.op.bias for n in variant.graph.nodes if n.op.kind == "conv"} == {True}
    assert "a.conv1 has a bias now" in variant.changes


def test_a_block_is_left_out_where_it_keeps_the_shape():
    variant = without(TWO, "b")
    assert [node.name for node in variant.graph.nodes if node.name.startswith("b.")] == []
    assert variant.graph.by_name["gap1"].inputs == ("a.dropout1",)


def test_shared_layers_go_everywhere():
    graph = netspec.parse("""net twin {
      input 6
      share t = { dense 6 -> bn -> relu }
      t -> t -> dense 2 }""")
    assert "bn" not in kinds(without(graph, "bn").graph)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("activation,bn", ["conv1", "relu1", "bn1", "pool1"]),
        ("pool,bn,relu", ["conv1", "pool1", "bn1", "relu1"]),
        ("relu,pool,bn", ["conv1", "relu1", "pool1", "bn1"]),
    ],
)
def test_neighbours_take_the_order_asked_for(order, expected):
    graph = reordered(SMALL, order).graph
    found, name = [], "conv1"
    while len(found) < len(expected):
        found.append(name)
        name = graph.readers[name][0]
    assert found == expected
    assert graph.by_name["flatten1"].shape == SMALL.by_name["flatten1"].shape


def test_layers_move_within_their_block_only():
    graph = reordered(TWO, "dropout,relu").graph
    assert graph.by_name["a.relu1"].inputs == ("a.dropout1",)
    assert graph.by_name["b.conv1"].inputs == ("a.relu1",)


def test_steps_are_added_behind_every_layer_named():
    variant = added(TWO, "relu: dropout 0.3 -> ln")
    assert variant.graph.by_name["a.dropout1"].inputs == ("a.relu1_ln1",)
    assert variant.graph.by_name["b.relu1_dropout1"].op.rate == 0.3


def test_what_is_added_behind_the_result_becomes_the_result():
    assert added(TWO, "dense1: softmax").graph.outputs[0].node == "dense1_softmax1"


@pytest.mark.parametrize(
    ("make", "what", "said"),
    [
        (without, "dorpout", "no op, family, layer or block `dorpout`"),
        (without, "pool", r"cannot be left out: at `pool1` it makes .* of"),
        (reordered, "conv,bn", "nothing in `small` changes"),
        (reordered, "bn,softplus", "nothing in `small` changes"),
        (added, "relu", "adds nothing"),
        (added, "relu: pool 2", "must give"),
        (added, "relu: drpout 0.1", "unknown op `drpout`"),
    ],
)
def test_what_cannot_be_is_told(make, what, said):
    with pytest.raises(SpecError, match=said):
        make(SMALL, what)


def test_variants_compute():
    """The reference runs each of them, with weights drawn for it."""
    from netspec.backend import load_backend

    for variant in (reordered(TWO, "dropout,relu"), added(TWO, "relu: ln"), without(TWO, "bn")):
        weights = netspec.init_weights(variant.graph)
        session = load_backend("reference").open_session(variant.graph, weights, "float64")
        (result,) = session.predict({"input": np.ones((2, 4, 5, 5))}).values()
        assert result.shape == (2, 3)
        assert Model(variant.graph).graph == netspec.Graph.from_json(variant.graph.to_json())


def test_intervals_and_p_values_are_scipys():
    rng = np.random.default_rng(0)
    base, other = rng.normal(0.9, 0.02, 6), rng.normal(0.93, 0.02, 6)
    found = estimate(base.tolist())
    low, high = stats.t.interval(0.95, 5, base.mean(), stats.sem(base))
    np.testing.assert_allclose(found[:3], (base.mean(), low, high))
    (compared,) = compare([(other - base).tolist()])
    np.testing.assert_allclose(compared.p, stats.ttest_rel(other, base).pvalue)
    assert compared.adjusted == compared.p
    inflated = p_value((other - base).tolist(), inflation=0.25)
    assert inflated > compared.p


def test_one_value_has_no_interval_and_equal_differences_prove_little():
    assert estimate([0.5])[1:3] == (-inf, inf)
    assert p_value([0.01, 0.01]) == 0.5
    assert p_value([0.0, 0.0, 0.0]) == 1.0


def test_holms_correction():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_chance_alone_is_seldom_called_a_difference():
    """Two forms that are the same: of many experiments about one in twenty may find otherwise."""
    rng = np.random.default_rng(1)
    wrong = sum(not compare([row.tolist()])[0].is_noise for row in rng.normal(0, 0.01, (1000, 5)))
    assert 30 <= wrong <= 70


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("rate=0.1:0.5", ("rate", 0.1, 0.5, False, False, ())),
        ("width=16:64", ("width", 16, 64, True, False, ())),
        ("lr=1e-4:1e-1:log", ("lr", 1e-4, 1e-1, False, True, ())),
        ("act=relu,gelu", ("act", 0, 0, False, False, ("relu", "gelu"))),
        ("depths=[1, 2],[3, 4]", ("depths", 0, 0, False, False, ((1, 2), (3, 4)))),
    ],
)
def test_choices_are_read(text, values):
    assert tuple(read_choices([text])[0]) == values


@pytest.mark.parametrize(
    "text", ["rate", "rate=", "rate=0.5", "rate=0.5:0.1", "rate=0:1:log", "rate=a:b", "a=1:2:3:4"]
)
def test_what_is_no_choice_is_told(text):
    with pytest.raises(SpecError, match=r"`.*` (is|names|leaves)"):
        read_choices([text])


def test_the_best_of_many_is_held_to_the_default():
    default = Candidate({}, (0.90, 0.91, 0.92, 0.90))
    lucky = Candidate({"rate": 0.2}, (0.91, 0.90, 0.94, 0.89))
    better = Candidate({"rate": 0.4}, (0.95, 0.955, 0.975, 0.955))
    pruned = Candidate({"rate": 0.9}, (0.99,), pruned=True)
    row = ("n", "d", "torch", "accuracy", 4, default)
    assert Tuning(*row, (lucky, pruned), 0.25).verdict.startswith("no better")
    assert Tuning(*row, (lucky, better), 0.25).verdict.startswith("better")
    assert Tuning(*row, (pruned,), 0.25).best is default
    lower = Tuning(*row[:3], "mae", *row[4:], (lucky, better), 0.25)
    assert lower.best is default


@pytest.fixture
def spec(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 10
    images = rng.normal(0, 0.3, (120, 1, 8, 8)) + np.eye(64)[labels * 6].reshape(-1, 1, 8, 8) * 4
    np.savez(tmp_path / "d.npz", x=images.astype(np.float32), y=labels)
    (tmp_path / "small.net").write_text(NET)
    return [str(tmp_path / "small.net"), "--data", str(tmp_path / "d.npz"), "--epochs", "2"]


def test_ablate_from_the_command_line(spec, tmp_path):
    picture = str(tmp_path / "curves.svg")
    options = ["--drop", "dropout", "--order", "relu,bn", "--seeds", "2", "--val-split", "0.25"]
    done = CliRunner().invoke(
        main, ["ablate", *spec, *options, "--format", "json", "--curves", picture]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [f["name"] for f in found["findings"]] == [
        "as written",
        "without dropout",
        "order relu,bn",
    ]
    assert {len(f["runs"]) for f in found["findings"]} == {2}
    assert len(done.stderr.splitlines()) == 6
    assert "without dropout" in (tmp_path / "curves.svg").read_text()


def test_ablation_without_anything_held_out_is_refused(spec):
    done = CliRunner().invoke(main, ["ablate", *spec, "--drop", "bn"])
    assert done.exit_code == 1
    assert "no-validation" in done.stderr


def test_tune_from_the_command_line_goes_on_where_it_was(spec, tmp_path):
    study = str(tmp_path / "study.log")
    command = ["tune", *spec, "--param", "rate=0.1:0.5", "--folds", "2", "--storage", study]
    first = CliRunner().invoke(main, [*command, "--trials", "1", "--format", "json"])
    assert first.exit_code == 0, first.output
    again = CliRunner().invoke(main, [*command, "--trials", "2", "--csv", str(tmp_path / "t.csv")])
    assert again.exit_code == 0, again.output
    assert [line.split()[0] for line in again.stderr.splitlines()] == ["1/2", "2/2"]
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert len(lines) == 3
    whole = CliRunner().invoke(main, [*command[:-2], "--trials", "2"])
    assert whole.stdout == again.stdout
    before = json.loads(first.stdout)["candidates"][0]
    assert float(lines[1].split(",")[0]) == before["values"]["rate"]
    assert "small on" in again.stdout


def test_a_study_goes_on_as_if_it_had_not_been_killed(tmp_path):
    def search(path, number, dies=False):
        prove(str(tmp_path / path))
        study = Study(str(tmp_path / path), "name", 7)
        study.take_up()

        def objective(trial):
            value = trial.suggest_float("a", 0, 1) + trial.suggest_int("b", 1, 9)
            if dies:
                raise KeyboardInterrupt  # as a kill does, it leaves the trial without an end
            return value

        assert study.missing(number + 1) == [number]
        study.try_one(objective, number)
        return [trial.params for trial in study.done()]

    for number in range(12):
        whole = search("whole", number)
        if number in (2, 11):  # while Optuna draws at random, and when it has learned
            with pytest.raises(KeyboardInterrupt):
                search("cut", number, dies=True)
            with (tmp_path / "cut").open("a") as file:
                file.write('{"op_code":')  # what it was about to say
        assert search("cut", number) == whole
    assert len({params["a"] for params in whole}) == 12


@pytest.mark.parametrize("content", ["a,b\n", '{"a": 1}\n', "[]\n", "a"])
def test_a_file_that_is_no_study_stays_as_it_is(content, tmp_path):
    path = tmp_path / "a.study"
    path.write_text(content)
    with pytest.raises(SpecError, match="is no study"):
        prove(str(path))
    assert path.read_text() == content
    with pytest.raises(SpecError, match="cannot write"):
        prove(str(tmp_path))
    with pytest.raises(SpecError, match="cannot write"):
        Study(str(tmp_path / "none" / "a.study"), "name", 0)


def test_a_parameter_that_the_net_lacks_is_told(spec):
    done = CliRunner().invoke(main, ["tune", *spec, "--param", "rat=0.1:0.5"])
    assert done.exit_code == 1
    assert "did you mean `rate`" in done.stderr


def test_an_outcome_of_a_diverged_run_does_not_count():
    from netspec.experiments.ablation import _findings
    from netspec.experiments.variants import Variant

    forms = [Variant("as written", SMALL), Variant("other", SMALL)]
    outcomes = [Outcome("as written", s, 0.5 + s / 10, History(), "finished") for s in range(3)]
    outcomes += [Outcome("other", s, 0.5, History(), "finished") for s in range(2)]
    outcomes.append(Outcome("other", 2, float("nan"), History(), "diverged"))
    findings = _findings(forms, outcomes)
    assert findings[1].comparison.difference.size == 2


def test_an_interval_ends_where_its_metric_does():
    wide = estimate([0.9, 1.0])
    assert wide.high > 1
    assert wide.of_metric("accuracy")[1:3] == (wide.low, 1)
    assert estimate([0.1, 0.9]).of_metric("mae")[1] == 0
