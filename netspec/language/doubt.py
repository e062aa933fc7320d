"""What a mistake makes doubtful, so that nothing is said of its consequences. Loaded only after a mistake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from netspec.diagnostics import SpecError
from netspec.language import tree
from netspec.language.evaluate import bound_names
from netspec.language.values import POISON, Frame
from netspec.source import Span

Failed: TypeAlias = tree.Step | tree.Let

_EXCESSIVE = {"too-many-arguments", "repeated-argument"}
"""Mistakes of a call whose arguments may be right all the same."""


def doubt(frame: Frame, failed: Failed, error: SpecError | None) -> None:
    """Poison what a step or a `let` should have bound and, after an `error` of its own, the variables that it names.

    A variable may be wrong rather than its use; and where it is a parameter, the arguments of the call
    may be another's. Without an `error` the step needed what was poisoned before.
    """
    if isinstance(failed, tree.Let):
        frame.names.update(dict.fromkeys(bound_names(failed.targets), POISON))
    for node in _all(_bodies(failed)):
        names, tensors = _bound(node)
        frame.names.update(dict.fromkeys(names, POISON))
        frame.tensors.update(dict.fromkeys(tensors, POISON))
    if error is not None:
        spans = [d.span for d in error.diagnostics if d.span and d.id not in _EXCESSIVE]
        doubt_names(frame, _read(failed), None if _is_uncounted(failed, spans) else spans)


def doubt_names(frame: Frame, expressions: Iterable[object], spans: Iterable[Span] | None) -> None:
    """Poison the variables in expressions; with `spans` only those that stand within one."""
    names = {
        node.name
        for node in _all(expressions)
        if isinstance(node, tree.Name)
        if spans is None or any(s.start <= node.span.start < s.end for s in spans)
    }
    known = names & {*frame.names, *frame.home.constants}
    if not known.isdisjoint(frame.given):
        known.update(frame.given)
        frame.is_doubtful = True
    frame.names.update(dict.fromkeys(known, POISON))


def _is_uncounted(failed: Failed, spans: Sequence[Span]) -> bool:
    """Whether there were more or fewer values than names for them, which stand elsewhere."""
    return isinstance(failed, tree.Let | tree.For) and failed.targets.span in spans


def _read(failed: Failed) -> tuple[object, ...]:
    """The expressions that were evaluated for a step, or may be to blame for it."""
    match failed:
        case tree.Let(value=value):
            return (value,)
        case tree.Invoke(arguments=arguments):
            return arguments
        case tree.For(iterable=iterable):
            return (iterable,)
        case tree.Repeat(rounds=rounds):
            return (rounds,)
        case tree.If(condition=condition):
            return (condition,)
        case tree.Group():
            return ()


def _bodies(failed: Failed) -> tuple[object, ...]:
    """What was not run, or not to its end."""
    match failed:
        case tree.Invoke(branches=branches):
            return branches or ()
        case tree.If(body=body, otherwise=otherwise):
            return (body, otherwise)
        case tree.Group(body=body) | tree.For(body=body) | tree.Repeat(body=body):
            return (body,)
        case _:
            return ()


def _bound(node: object) -> tuple[Iterable[str], Iterable[str]]:
    """The variables and the tensors that a statement names."""
    match node:
        case tree.Let(targets=targets):
            return bound_names(targets), ()
        case tree.Assign(names=names):
            return (), [name.name for name in names]
        case tree.Collect(name=name):
            return (), [name.name]
        case tree.Share(name=name):
            return [name.name], ()
        case tree.Broken(names=names):
            return names, names
        case _:
            return (), ()


def _all(roots: Iterable[object]) -> Iterator[object]:
    """All nodes of trees."""
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, tuple) and not isinstance(node, Span):
            waiting.extend(node)
