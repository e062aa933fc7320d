"""What `share` and `tied` ask for: which words may stand where. Expands nothing."""

from __future__ import annotations

from netspec.builder import GraphBuilder
from netspec.diagnostics import Diagnostic, Note, SpecError
from netspec.language import tree
from netspec.language.evaluate import Evaluator
from netspec.language.reports import fail
from netspec.language.values import (
    Callee,
    Frame,
    Poison,
    Poisoned,
    Shared,
    holds_tensor,
    is_list,
    kind,
)
from netspec.ops import Rejected, find
from netspec.source import Span


def declare(
    statement: tree.Share, evaluator: Evaluator, frame: Frame, builder: GraphBuilder
) -> Shared:
    """The instance that a `share` names. Its pipeline sees the names of this place, but not the tensors."""
    name, span = statement.name.name, statement.name.span
    for what, taken in (("a block", name in frame.home.blocks), ("an op", find(name) is not None)):
        if taken:
            fail(
                "duplicate-definition",
                f"`{name}` is {what}, and cannot be shared layers too",
                span,
                help="choose another name",
            )
    evaluator.charge(len(frame.names) // 8, span)
    seen = {}
    for known, value in frame.names.items():
        if known in frame.tensors:  # as all tensors among the names are
            evaluator.charge_list(value, span, once=True)
            if holds_tensor(value) and not isinstance(value, Poison):
                continue
        if known != name:
            seen[known] = value
    try:
        instance = builder.share(name)
    except Rejected as error:
        raise SpecError(Diagnostic(error.id, error.message, span, help=error.help)) from None
    return Shared(statement, frame.home, seen, instance)


def enter(step: tree.Invoke, shared: Shared, frame: Frame) -> Frame:
    """The frame in which an instance works on the current tensor. Raises SpecError for a use with more to say."""
    name = step.name.name
    if step.label is not None:
        fail(
            "labelled-use",
            f"`{name}` is shared, and has the name that `share` gives it wherever it is used",
            step.label.span,
            help="leave the label out",
        )
    if step.arguments:
        help_ = "its arguments stand where it is shared"
        fail(
            "too-many-arguments", f"`{name}` takes no arguments", step.arguments[0].span, help=help_
        )
    if step.branches is not None:
        fail("unexpected-branches", f"`{name}` takes no branches", step.branches[0].span)
    if is_list(frame.current):
        help_ = "add or concat the list"
        fail("wrong-type", f"`{name}` takes one tensor, not a list", step.name.span, help=help_)
    if shared.is_open:
        raise _too_early(step.name, shared.statement.name)
    if shared.failed or isinstance(frame.current, Poison):
        raise Poisoned
    inner = Frame(shared.home, frame.current, (shared.statement,))
    inner.names.update(shared.names)
    return inner


def lone_call(pipeline: tree.Pipeline, evaluator: Evaluator, frame: Frame) -> tree.Invoke | None:
    """The one op or block that a pipeline calls, which then has the instance's name itself."""
    step = lone_step(pipeline)
    if step is None:
        return None
    found, value = evaluator.lookup(step.name.name, frame)
    return None if found and not isinstance(value, Callee) else step


def lone_step(pipeline: tree.Pipeline) -> tree.Invoke | None:
    """The one unlabelled call that a pipeline consists of."""
    if pipeline.start is not None or len(pipeline.steps) != 1:
        return None
    step = pipeline.steps[0]
    if isinstance(step, tree.Invoke) and step.label is None and step.branches is None:
        return step
    return None


def lender(step: tree.Invoke, evaluator: Evaluator, frame: Frame) -> Shared:
    """The shared layer whose weight `tied` takes."""
    help_ = "`share tok = embed 1000 64; tok -> ... -> tied tok`"
    if len(step.arguments) != 1 or step.arguments[0].name is not None:
        fail("not-shared", "`tied` takes one shared layer", step.name.span, help=help_)
    (argument,) = step.arguments
    if step.branches is not None:
        fail("unexpected-branches", "`tied` takes no branches", step.branches[0].span)
    word = argument.value
    if isinstance(word, tree.Name):
        check_order(word, frame)
    value = evaluator.value(word, frame)
    if not isinstance(value, Shared):
        fail(
            "not-shared",
            f"`tied` takes a shared layer, not {kind(value)}",
            argument.span,
            help=help_,
        )
    if value.failed:
        raise Poisoned
    return value


def check_order(name: tree.Name, frame: Frame) -> None:
    """Raise SpecError where a block shares a name further below that it uses here."""
    waiting: list[object] = [] if name.name in frame.names else [frame.statements]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tree.Share) and node.name.name == name.name:
            raise _too_early(name, node.name)
        if isinstance(node, tuple) and not isinstance(node, Span):
            waiting.extend(reversed(node))


def _too_early(name: tree.Name, shared: tree.Name) -> SpecError:
    message, help_ = (
        f"`{name.name}` is used before it is shared",
        "move the `share` above its first use",
    )
    note = Note("it is shared here", shared.span)
    return SpecError(Diagnostic("use-before-share", message, name.span, help=help_, notes=(note,)))
