"""What a rule is, and the register of them. Knows nothing of files, options or what becomes of findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, Fix, Note
from netspec.lint.subject import Subject
from netspec.source import Span


class Finding(NamedTuple):
    """A place that a rule objects to: a diagnostic before it has the rule's id."""

    message: str
    span: Span
    label: str = ""
    help: str | None = None
    notes: tuple[Note, ...] = ()
    fix: Fix | None = None


Check = Callable[[Subject], Iterator[Finding]]


class Rule(NamedTuple):
    """A habit to object to, and the page that explains it.

    `summary` is one line, `why` a paragraph. `bad` is the smallest program that the rule objects to, `good` what
    to write in its place. A rule that is `last` sees what the others found.
    """

    id: str
    family: str
    summary: str
    why: str
    bad: str
    good: str
    fixable: bool
    last: bool
    check: Check

    def apply(self, subject: Subject) -> Iterator[Diagnostic]:
        """The rule's warnings. Where there is a fix, it is the help."""
        for message, span, label, cure, notes, fix in self.check(subject):
            help_ = cure if fix is None else None
            yield Diagnostic(
                self.id, message, span, label, help_, notes, severity="warning", fix=fix
            )


_REGISTRY: dict[str, Rule] = {}


def rule(
    id: str,  # noqa: A002 (the words of a diagnostic)
    *,
    family: str,
    summary: str,
    why: str,
    bad: str,
    good: str,
    fixable: bool = False,
    last: bool = False,
) -> Callable[[Check], Check]:
    """Make the function that follows known as a rule."""

    def register(check: Check) -> Check:
        assert id not in _REGISTRY, f"two rules are called {id}"
        _REGISTRY[id] = Rule(id, family, summary, why, bad, good, fixable, last, check)
        return check

    return register


def all_rules() -> Iterable[Rule]:
    """Every rule, by id, those that are last at the end."""
    return sorted(_REGISTRY.values(), key=lambda rule: (rule.last, rule.id))


def find(id: str) -> Rule | None:  # noqa: A002
    """The rule of that id."""
    return _REGISTRY.get(id)


def matching(word: str) -> frozenset[str]:
    """The ids that a word of a selection stands for: an id, its first words, a family, or `all`."""
    return frozenset(
        rule.id
        for rule in _REGISTRY.values()
        if word in ("all", rule.id, rule.family) or rule.id.startswith(f"{word}-")
    )


def selectors() -> list[str]:
    """Every id and every family."""
    return [*_REGISTRY, *dict.fromkeys(rule.family for rule in _REGISTRY.values())]
