"""Changes of a text: what fixes take away or put in, and how several are applied at once. Knows no rules."""

from __future__ import annotations

from collections.abc import Iterable

from netspec.diagnostics import Edit, Fix
from netspec.language import tree
from netspec.source import Source, Span


def apply_fixes(source: Source, fixes: Iterable[Fix]) -> tuple[str, int]:
    """The text with as many fixes as do not meet, and their number. The others wait for the next round."""
    taken: list[Edit] = []
    count = 0
    for fix in fixes:
        if not any(_meet(edit.span, other.span) for edit in fix.edits for other in taken):
            taken += fix.edits
            count += 1
    text = source.text
    for edit in sorted(taken, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text, count


def _meet(one: Span, other: Span) -> bool:
    """Whether two spans overlap or touch: an edit beside another may change what that one means."""
    return one.start <= other.end and other.start <= one.end


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
    parts = [*([pipeline.start] if pipeline.start else []), *pipeline.steps]
    index = next(number for number, part in enumerate(parts) if part is step)
    if len(parts) == 1:
        return None
    if index > 0:
        span = Span(step.span.source, parts[index - 1].span.end, step.span.end)
    else:
        span = Span(step.span.source, step.span.start, parts[1].span.start)
    return None if "#" in span.text else Edit(span, "")
