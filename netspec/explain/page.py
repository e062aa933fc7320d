"""What a page about a diagnostic says. Knows no diagnostics."""

from __future__ import annotations

from typing import NamedTuple


class Page(NamedTuple):
    """One diagnostic: `summary` is a line without a full stop, `why` a paragraph on the cause and the cure.

    `bad` is a small program that has it and `good` what to write in its place; both are None where no text of a spec
    alone brings it about. Lint rules have a `family`, and some a fix.
    """

    summary: str
    why: str
    bad: str | None = None
    good: str | None = None
    family: str | None = None
    fixable: bool = False
