"""Changes of a text: what fixes take away or put in, and how several are applied at once. Knows no rules."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from netspec.diagnostics import Edit, Fix
from netspec.language import tree
from netspec.source import Source, Span


def apply_fixes(source: Source, fixes: Iterable[Fix]) -> tuple[str, int]:
    """The text with as many fixes as do not meet, and their number. The others wait for the next round."""
    taken: list[Edit] = []  # in the text's order
    count = 0
    for fix in fixes:
        if not any(_meets_one(edit.span, taken) for edit in fix.edits):
            for edit in fix.edits:
                insort(taken, edit, key=_start)
            count += 1
    parts, end = [], 0
    for edit in taken:
        parts += [source.text[end : edit.span.start], edit.text]
        end = edit.span.end
    return "".join(parts) + source.text[end:], count


def _meets_one(span: Span, taken: Sequence[Edit]) -> bool:
    """Whether a span overlaps or touches one that is taken: an edit beside another may change what that one means.

    Those that are taken do not meet one another, so only the next ones can.
    """
    place = bisect_left(taken, span.start, key=_start)
    around = taken[max(place - 1, 0) : place + 1]
    return any(span.start <= one.span.end and one.span.start <= span.end for one in around)


def _start(edit: Edit) -> int:
    return edit.span.start


def remove_statement(span: Span) -> Edit | None:
    """Take a statement away with the line that it stands on alone, or its `;`. None if a comment goes too."""
    source, start, end = span
    text = source.text
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    before, after = text[line_start:start], text[end:line_end]
    if "#" in span.text or "#" in after:
        return None
    if not before.strip() and not after.strip():
        return Edit(Span(source, line_start, min(line_end + 1, len(text))), "")
    if after.lstrip().startswith(";"):
        following = after[after.index(";") + 1 :]
        blanks = len(following) - len(following.lstrip())
        return Edit(Span(source, start, end + after.index(";") + 1 + blanks), "")
    if before.rstrip().endswith(";"):
        return Edit(Span(source, line_start + before.rindex(";"), end), "")
    return Edit(Span(source, start, end + len(after) - len(after.lstrip())), "")


def remove_step(pipeline: tree.Pipeline, step: tree.Step) -> Edit | None:
    """Take a step out of a pipeline with one of its arrows. None if nothing, or not all comments, would stay."""
    steps = pipeline.steps
    index = bisect_left(steps, step.span.start, key=lambda each: each.span.start)
    before = steps[index - 1] if index else pipeline.start
    if before is not None:
        span = Span(step.span.source, before.span.end, step.span.end)
    elif len(steps) > 1:
        span = Span(step.span.source, step.span.start, steps[1].span.start)
    else:
        return None
    return None if "#" in span.text else Edit(span, "")
