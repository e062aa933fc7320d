"""How much a spec may ask for, and how a refusal reads. Knows nothing of who counts."""

from typing import NamedTuple

from netspec.diagnostics import Diagnostic
from netspec.source import Span


class Limits(NamedTuple):
    """Bounds that hold before time or memory is spent. Every one can be raised by the caller."""

    source_bytes: int = 4 << 20  # of a text, and of all that it uses together
    files: int = 64  # used by one text, directly or not
    tokens: int = 500_000
    nesting: int = 64  # brackets within brackets, or operators within operators, in the text
    calls: int = 64  # blocks within blocks, after expansion
    nodes: int = 100_000  # ops after expansion
    steps: int = 1_000_000  # what expansion may do in all
    items: int = 100_000  # of one list
    digits: int = 40  # of one number
    errors: int = 20  # reported in one run


DEFAULT = Limits()


def exceeded(limit: str, limits: Limits, message: str, span: Span | None) -> Diagnostic:
    """The refusal: `message` states what was asked for, the help names the limit."""
    bound = getattr(limits, limit)
    return Diagnostic(
        "over-limit", message, span, label="here", help=f"the limit `{limit}` is {bound:,}"
    )
