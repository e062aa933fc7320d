"""Which lint rules apply where: comments that silence, configuration, the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.diagnostics import SpecError
from netspec.lint import find
from netspec.lint.rule import matching
from netspec.lint.selection import BadConfiguration, configuration, rules_for
from tests.test_lint import ALL, ids

# ---- comments ----


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("input 8\ndense 1 -> softmax  # netspec: ignore[softmax-of-one]\n", []),
        ("input 8\ndense 1 -> softmax  # netspec: ignore[softmax]\n", []),
        ("input 8\ndense 1 -> softmax  # netspec: ignore[layers]\n", []),
        ("# netspec: ignore-file[softmax-of-one]\ninput 8\ndense 1 -> softmax\n", []),
        (
            "input 8  # netspec: ignore[softmax-of-one]\ndense 1 -> softmax\n",
            ["unused-ignore", "softmax-of-one"],
        ),
        ("input 8  # netspec: ignore\n", ["unused-ignore"]),
        ("input 8  # netspec: ignore[softmx-of-one]\n", ["unused-ignore"]),
        ("input 8  # we like netspec: ignore[unused]\n", []),
        ('net n(_a="# netspec: ignore[unused]") { input 8 -> dense 3 }\n', []),
    ],
)
def test_a_comment_silences_what_it_names(text: str, wanted: list[str]) -> None:
    assert ids(text) == wanted


def test_a_rule_that_does_not_apply_makes_no_comment_unused() -> None:
    text = "input 8  # netspec: ignore[softmax-of-one]\n"
    assert ids(text, rules=ALL - {"softmax-of-one"}) == []


def test_mistakes_cannot_be_ignored() -> None:
    assert ids("input 8\ncovn 3  # netspec: ignore[all]\n") == ["unknown-op"]


# ---- configuration ----


@pytest.fixture
def project(tmp_path: Path) -> Path:
    configuration.cache_clear()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.netspec]\nselect = ["unused", "training"]\nignore = ["unused-step"]\n'
        '[tool.netspec.per-file-ignores]\n"deep/*.net" = ["unused"]\n'
    )
    (tmp_path / "deep" / "pyproject.toml").write_text('[project]\nname = "netspec-of-others"\n')
    return tmp_path


@pytest.mark.parametrize(
    "form",
    [
        "[tool.netspec]\nselect = []",
        """['tool' . "netspec"]\nselect = []""",
        "tool.netspec.select = []",
        "[tool]\nnetspec.select = []",
        "[tool.other]\n[tool]\nnetspec = {select = []}",
        "tool = {netspec = {select = []}}",
    ],
)
def test_every_form_of_the_table_is_found(tmp_path: Path, form: str) -> None:
    configuration.cache_clear()
    (tmp_path / "pyproject.toml").write_text(form)
    assert rules_for(str(tmp_path / "a.net"), None, ()) == set()


def test_the_nearest_configuration_counts(project: Path) -> None:
    unused, training = matching("unused") - {"unused-step"}, matching("training")
    assert rules_for(str(project / "a.net"), None, ()) == unused | training
    assert rules_for(str(project / "deep" / "er" / "a.net"), None, ()) == training
    assert rules_for(str(project / "a.net"), None, ("unused",)) == training
    assert rules_for(str(project / "a.net"), ("unused-step", "softmax"), ()) == {
        "softmax-before-layers",
        "softmax-of-one",
    }


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('selct = ["all"]', "did you mean `select`?"),
        ('select = ["unusd"]', "did you mean `unused`?"),
        ('select = "all"', "`select` is not a list of rules"),
        ("ignore = [3]", "`ignore` is not a list of rules"),
        ('per-file-ignores = ["a"]', "not a table of patterns"),
        ('per-file-ignores = {"*" = ["unused-stp"]}', "did you mean `unused-step`?"),
        ("select = [", "it is not TOML"),
    ],
)
def test_a_wrong_configuration_is_told(tmp_path: Path, table: str, words: str) -> None:
    configuration.cache_clear()
    (tmp_path / "pyproject.toml").write_text(f"[tool.netspec]\n{table}\n")
    with pytest.raises(BadConfiguration) as caught:
        rules_for(str(tmp_path / "a.net"), None, ())
    (diagnostic,) = caught.value.diagnostics
    assert words in f"{diagnostic.message} {diagnostic.help}"


def test_unknown_words_are_told() -> None:
    with pytest.raises(SpecError, match="`--select` names `unusd-block`") as caught:
        rules_for(None, ("unusd-block",), ())
    assert caught.value.diagnostics[0].help == "did you mean `unused-block`?"
    assert find("unusd-block") is None


def test_errors_are_no_rules() -> None:
    with pytest.raises(
        SpecError, match="`--ignore` names `unknown-op`, which is an error"
    ) as caught:
        rules_for(None, None, ("unknown-op",))
    assert "always reported" in (caught.value.diagnostics[0].help or "")
