"""Calls of ops, of blocks and of shared instances. Knows nothing of control flow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from netspec.diagnostics import Note, did_you_mean
from netspec.language import sharing, tree
from netspec.language.arguments import OpArguments, bind_block, plain_arguments
from netspec.language.evaluate import Evaluator, callable_names
from netspec.language.habits import STEPS
from netspec.language.placing import Placer
from netspec.language.reports import Reports, fail
from netspec.language.values import (
    Callee,
    Closure,
    Frame,
    Poison,
    Poisoned,
    Shared,
    Tensors,
    assignments,
    kind,
)
from netspec.language.walks import Walk
from netspec.limits import Limits
from netspec.ops import Op, find
from netspec.source import Span

CALL = 40
"""Steps that a call of a block is charged for."""


class Calls(ABC):
    """Where expansion is, and what a call does to it."""

    def __init__(self, placer: Placer, evaluator: Evaluator, limits: Limits) -> None:
        self.limits = limits
        self.evaluator = evaluator
        self.placer = placer
        self.reports = Reports(limits)
        self.depth = 0
        self.beside = True
        """Whether the branch that is run stands beside others: not so in a residual without its shortcut."""

    @abstractmethod
    def statements(self, frame: Frame, statements: Sequence[tree.Statement]) -> Walk:
        """Run what stands in a body."""

    @abstractmethod
    def pipeline(
        self, frame: Frame, pipeline: tree.Pipeline, input_name: str | None = None
    ) -> Walk:
        """Run the steps from the current tensor on; what the last one gives is current then."""

    def invoke(self, frame: Frame, step: tree.Invoke, label: str | None) -> Walk:
        """What a step's name calls: an op, a block, a shared instance, or `residual`."""
        name = step.name.name
        found, value = self.evaluator.lookup(name, frame)
        if isinstance(value, Poison):
            raise Poisoned
        if isinstance(value, Shared):
            yield self._use(frame, step, value)
            return
        if isinstance(value, Callee):
            callee: Callee | None = value
        elif found and value is None:
            return
        else:
            callee = self.evaluator.callee(name, frame.home)
        if callee is None and name == "residual":
            yield self._residual(frame, step, label)
        elif callee is None:
            self._no_callee(step, found, value, frame)
        elif callee.closure is not None:
            yield self._block(frame, step, callee.closure, label)
        else:
            op = find(callee.name)
            assert op is not None, "a callee without a closure is an op"
            if op.borrows:
                shared = sharing.lender(step, self.evaluator, frame)
                self.placer.tie(frame, step, shared, label)
            else:
                yield self._op(frame, step, op, label)

    def _no_callee(self, step: tree.Invoke, found: bool, value: object, frame: Frame) -> None:
        name = step.name.name
        sharing.check_order(step.name, frame)
        if found:
            fail("not-an-op", f"`{name}` is {kind(value)}, not an op or a block", step.name.span)
        if name in frame.tensors:
            help_: str | None = f"a pipeline starts from a tensor as `@{name} -> ...`"
        else:
            help_ = STEPS.get(name) or did_you_mean(
                name, [*callable_names(frame.home), "residual", "repeat"]
            )
        fail("unknown-op", f"unknown op `{name}`", step.name.span, help=help_)

    def _block(self, frame: Frame, step: tree.Invoke, closure: Closure, label: str | None) -> Walk:
        block = closure.block
        if step.branches is not None:
            span = step.branches[0].span
            fail("unexpected-branches", f"the block `{block.name.name}` takes no branches", span)
        inner = bind_block(step, closure, self.evaluator, frame)
        with (
            self._deeper(step),
            self.placer.scope(label, step.label, block, plain_arguments(inner), step.name.span),
            self.reports.tracing(partial(self._call_note, inner, block, step.name.span)),
        ):
            for name, value in inner.given.items():
                self.placer.call(value, name, given=True)
            yield from self.statements(inner, block.body.statements)
        if inner.is_doubtful:
            from netspec.language.doubt import doubt_names

            doubt_names(frame, step.arguments, None)
        frame.current = inner.current

    @staticmethod
    def _call_note(frame: Frame, block: tree.Block, span: Span) -> Note:
        values = assignments(frame.given.items())
        return Note(f"in `{block.name.name}`, called{' with ' if values else ''}{values}", span)

    def _use(self, frame: Frame, step: tree.Invoke, shared: Shared) -> Walk:
        """A shared instance, expanded once more: the builder sees to it that it comes out the same."""
        if frame.current is None:
            self.placer.no_input(step)
        inner = sharing.enter(step, shared, frame)
        pipeline = shared.statement.pipeline
        call = sharing.lone_call(pipeline, self.evaluator, inner)
        shared.failed = not shared.instance.uses
        shared.is_open = True
        try:
            with (
                self._deeper(step),
                self.placer.use(shared, step) as label,
                self.reports.tracing(partial(self._use_note, step)),
            ):
                if call is not None:
                    yield self.invoke(inner, call, label)
                else:
                    with self.placer.scope(label, None, at=shared.statement.name.span):
                        yield self.pipeline(inner, pipeline)
                if isinstance(inner.current, Poison):
                    raise Poisoned
        finally:
            shared.is_open = False
        shared.failed = False
        frame.current = inner.current

    @staticmethod
    def _use_note(step: tree.Invoke) -> Note:
        return Note(f"in the shared `{step.name.name}`, used here", step.name.span)

    @contextmanager
    def _deeper(self, step: tree.Invoke) -> Iterator[None]:
        self.evaluator.charge(CALL, step.name.span)
        if self.depth >= self.limits.calls:
            message = f"blocks call one another {self.limits.calls} levels deep"
            self.evaluator.refuse("calls", message, step.name.span)
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def _residual(self, frame: Frame, step: tree.Invoke, label: str | None) -> Walk:
        """`residual { body }` is `add { body | @ }`; where `when=` fails it is the body alone."""
        shortcut = True
        for number, argument in enumerate(step.arguments):
            if number and argument.name == "when":
                fail("repeated-argument", "`when` is given twice", argument.span)
            if argument.name != "when":
                fail(
                    "unknown-argument",
                    "`residual` takes `when=condition` and no other argument",
                    argument.span,
                )
            shortcut = self.evaluator.truth(argument.value, frame)
        if step.branches is None or len(step.branches) != 1:
            fail(
                "wrong-branches",
                "`residual` takes one body between braces",
                step.name.span,
                help="`residual { body }` is `add { body | @ }`",
            )
        entrance = frame.current
        with self._branch(beside=shortcut):
            yield from self.statements(frame, step.branches[0].statements)
        if shortcut:
            op = find("add")
            assert op is not None
            branches = [frame.current, entrance]
            self.placer.add(
                frame,
                OpArguments(step._replace(arguments=()), op, self.evaluator, frame),
                branches,
                label,
            )

    @contextmanager
    def _branch(self, *, beside: bool) -> Iterator[None]:
        before, self.beside = self.beside, beside
        try:
            yield
        finally:
            self.beside = before

    def _op(self, frame: Frame, step: tree.Invoke, op: type[Op], label: str | None) -> Walk:
        arguments = OpArguments(step, op, self.evaluator, frame)
        branches: list[Tensors | None] = []
        if step.branches is None:
            if op.kind != "input":
                branches.append(frame.current)
        elif not op.merges:
            arguments.bind()
            message = f"`{step.name.name}` takes no branches"
            fail(
                "unexpected-branches",
                message,
                step.branches[0].span,
                help="is a `->` or a line's end missing?",
            )
        entrance = frame.current
        for branch in step.branches or ():
            frame.current = entrance
            with self._branch(beside=True):
                yield from self.statements(frame, branch.statements)
            branches.append(frame.current)
        if op.scheduled is not None and not self.beside:
            self.placer.count(arguments.bind(), None)
        else:
            self.placer.add(frame, arguments, branches, label)
