"""The reference pages of the ops: every op has one, which says what it takes and what it becomes."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from netspec.backend import TARGETS, load_backend
from netspec.cli import main
from netspec.oppages import families, family_page, index_page, limits_page, op_page, refusals
from netspec.ops import all_ops, find, partings


def run(*arguments):
    return CliRunner().invoke(main, ["ops", *arguments])


@pytest.mark.parametrize("op", [*all_ops(), *partings()], ids=lambda op: op.kind)
def test_a_page_tells_all_of_an_op(op):
    page = op_page(op)
    assert page.startswith(f"## {op.kind}\n")
    for alias in op.aliases:
        assert f"`{alias}`" in page
    for name, field in op.model_fields.items():
        assert f"| `{name}` |" in page
        assert field.description, f"`{name}` of `{op.kind}` has no description"
    if op.kind != "input":
        for target in ("PyTorch", "Keras", "ONNX"):
            assert f"\n- {target}" in page


def test_a_page_shows_what_the_op_becomes():
    page = op_page(find("conv"))
    assert "- PyTorch, `conv 32 3`: `nn.Conv2d(1, 32, 3)`" in page
    assert "- Keras, `conv 32 3`: `layers.Conv2D(32, 3)`" in page
    assert "- ONNX, `conv 32 3`: `Conv(x, weight, bias, kernel_shape=(3, 3)" in page
    assert "- Keras refuses `conv_transpose 6 3 dilation=2`" in op_page(find("conv_transpose"))


def test_a_page_shows_the_parts_of_a_parting():
    page = op_page(find("split"))
    assert "| `split 2 -> add` | 6 | 3, 3 |" in page
    assert "- PyTorch, `split 2 -> add`: `x[:, :3]`, `x[:, 3:]`" in page


def test_a_weight_without_a_name_of_its_own_has_its_steps():
    assert "| (the step's own name) 1 x 6 |" in op_page(find("param"))


def returns(function):
    """The first and last lines of the statements that return something else than None."""
    start = function.__code__.co_firstlineno
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {
        (start + node.lineno - 1, start + (node.end_lineno or 0) - 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.Return) and ast.unparse(node) != "return None"
    }


@pytest.mark.parametrize("target", TARGETS)
def test_every_reason_of_every_limit_has_an_example(target):
    """So the page of limits is complete: what an op's examples do not trigger would not be on it."""
    rows = load_backend(target).ROWS
    ops = [op for op in all_ops() if op in rows or op.kind == "input"]
    limits = {limit.__code__: limit for limit in rows._limits.values()}
    reached = {code: set() for code in limits}

    def call(frame, _event, _argument):
        return leave if frame.f_code in limits else None

    def leave(frame, event, argument):
        if event == "return" and argument is not None:
            reached[frame.f_code].add(frame.f_lineno)
        return leave

    refusals.cache_clear()
    sys.settrace(call)
    try:
        for op in ops:
            refusals(op, target)
            refusals(op, target, unsized=True)
    finally:
        sys.settrace(None)
    assert limits
    for code, limit in limits.items():
        for first, last in returns(limit):
            assert any(first <= line <= last for line in reached[code]), (limit.__module__, first)


def test_the_command_lists_shows_and_writes(tmp_path):
    """`netspec ops --write grammar/ops` renews the published pages."""
    assert "conv: conv, conv_transpose" in run().stdout
    assert run("upconv").stdout == op_page(find("conv_transpose"))
    assert "did you mean `conv`?" in run("con").stderr
    assert run("--write", str(tmp_path)).exit_code == 0
    published = Path("grammar/ops")
    assert {page.name for page in published.iterdir()} == {page.name for page in tmp_path.iterdir()}
    for page in published.iterdir():
        assert page.read_text() == (tmp_path / page.name).read_text(), f"renew {page}"
    assert (tmp_path / "README.md").read_text() == index_page()
    assert (tmp_path / "limits.md").read_text() == limits_page()
    for family in families():
        assert (tmp_path / f"{family}.md").read_text() == family_page(family)
