"""How fixes are put together: those that meet wait, and neither many of them nor many comments take long."""

from __future__ import annotations

import time

from netspec.diagnostics import Edit, Fix
from netspec.lint.edits import apply_fixes
from netspec.source import Source, Span
from tests.test_lint import ids


def test_fixes_that_meet_wait_for_the_next_round() -> None:
    source = Source("t.net", "relu tanh mish")

    def fix(start: int, end: int, text: str) -> Fix:
        return Fix("change it", (Edit(Span(source, start, end), text),))

    last, first, beside, across = fix(10, 14, "c"), fix(0, 4, "a"), fix(4, 5, ""), fix(3, 11, "")
    assert apply_fixes(source, [last, first, beside, across]) == ("a tanh c", 2)
    assert apply_fixes(source, [across, first, last]) == ("relish", 1)
    both = Fix("change both", (first.edits[0], last.edits[0]))
    assert apply_fixes(source, [both, fix(5, 9, "b")]) == ("a b c", 2)


def test_many_fixes_and_many_comments_take_no_longer_each() -> None:
    source = Source("t.net", "relu " * 40_000)
    spans = (Span(source, 5 * i, 5 * i + 4) for i in reversed(range(40_000)))
    begin = time.process_time()
    text, count = apply_fixes(source, (Fix("shorten", (Edit(span, "x"),)) for span in spans))
    assert (text, count) == ("x " * 40_000, 40_000)
    lines = "dense 1 -> softmax  # netspec: ignore[softmax-of-one]\n" * 1_000
    assert ids(f"input 8\n{lines}", rules=frozenset({"softmax-of-one"})) == []
    assert time.process_time() - begin < 8  # it was a minute and more
