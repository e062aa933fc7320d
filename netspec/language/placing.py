"""Puts ops and scopes on the builder; its refusals become diagnostics. Knows no control flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from netspec.builder import GraphBuilder
from netspec.diagnostics import Diagnostic, Note, SpecError
from netspec.interop import plain
from netspec.language import tree
from netspec.language.arguments import OpArguments
from netspec.language.evaluate import Evaluator
from netspec.language.reports import OverLimit, fail
from netspec.language.values import (
    Flowing,
    Frame,
    Poison,
    Poisoned,
    Schedule,
    Shared,
    Tensors,
)
from netspec.ops import Op, Parting, Rejected
from netspec.ops.binding import bind
from netspec.ops.input import Input
from netspec.source import Span

OP = 30
"""Steps that one op is charged for."""


class Placer:
    """The builder, and what the caller asked of the net's inputs."""

    def __init__(
        self, builder: GraphBuilder, evaluator: Evaluator, input_shape: Sequence[int | str] | None
    ) -> None:
        self.builder = builder
        self.evaluator = evaluator
        self.limits = evaluator.limits
        self.input_shape = input_shape
        self.inputs = 0
        self.nodes = 0
        self._schedules: dict[type[Op], list[tuple[str, Schedule] | None]] = {}
        """What each op of a kind that takes schedules was given, in the order of the net."""

    @contextmanager
    def scope(
        self,
        label: str | None,
        place: tree.Label | None,
        block: tree.Block | None = None,
        arguments: Mapping[str, object] | None = None,
        at: Span | None = None,
    ) -> Iterator[None]:
        """A scope of the builder, whose refusals are reported at the label."""
        scope = self.builder.scope(
            label,
            block=block.name.name if block else None,
            arguments=arguments,
            at=at.position if at else None,
        )
        try:
            scope.__enter__()
        except Rejected as error:
            span = place.span if place else at
            raise _mistake(Diagnostic(error.id, error.message, span, help=error.help)) from None
        try:
            yield
        finally:
            scope.__exit__(None, None, None)

    @contextmanager
    def use(self, shared: Shared, step: tree.Invoke) -> Iterator[str]:
        """One use of a shared instance, whose refusals are reported at the step that uses it."""
        try:
            with self.builder.use(shared.instance) as label:
                yield label
        except Rejected as error:
            raise self._refused(error, shared, step.name.span) from None

    def call(self, value: object, name: str, *, given: bool = False) -> None:
        """Note what the spec calls a tensor in the open scope."""
        if isinstance(value, Flowing):
            self.builder.call(value.value, name, given=given)

    def tie(self, frame: Frame, step: tree.Invoke, shared: Shared, label: str | None) -> None:
        """Put the transposed map of a shared layer's weight behind the current tensor."""
        if frame.current is None:
            self.no_input(step)
        if isinstance(frame.current, Poison):
            raise Poisoned
        if not isinstance(frame.current, Flowing):
            fail("wrong-type", "`tied` takes one tensor, not a list", step.name.span)
        self._admit(step)
        try:
            value = self.builder.tie(
                frame.current.value, shared.instance, label=label, at=step.name.span.position
            )
        except Rejected as error:
            span = step.name.span
            if error.id in ("duplicate-name", "bad-name") and step.label is not None:
                span = step.label.span
            raise self._refused(error, shared, span) from None
        frame.current = Flowing(value, _without_branches(step))

    @staticmethod
    def _refused(error: Rejected, shared: Shared, span: Span) -> SpecError:
        note = Note("it is shared here", shared.statement.name.span)
        return _mistake(Diagnostic(error.id, error.message, span, error.label, error.help, (note,)))

    def add(
        self,
        frame: Frame,
        arguments: OpArguments,
        branches: Sequence[Tensors | None],
        label: str | None,
    ) -> None:
        """Put an op behind the values of its branches; lists of tensors spread."""
        step, op = arguments.step, arguments.bind()
        if op.kind == "input":
            op = self.sized_input(op, step)
        inputs: list[Flowing] = []
        for value in branches:
            if value is None:
                self.no_input(step)
            for flow in (value,) if isinstance(value, Flowing | Poison) else value:
                if isinstance(flow, Poison):
                    raise Poisoned
                inputs.append(flow)
        self._admit(step)
        values, at = [flow.value for flow in inputs], step.name.span.position
        try:
            if isinstance(op, Parting):
                added = self.builder.part(op, values, label=label, at=at)
            else:
                added = [self.builder.add(op, values, label=label, at=at)]
        except Rejected as error:
            if error.id in ("duplicate-name", "bad-name") and step.label is not None:
                raise SpecError(
                    Diagnostic(error.id, error.message, step.label.span, help=error.help)
                ) from None
            raise _mistake(arguments.blame(error, _origins(inputs))) from None
        if op.scheduled is not None:
            schedule = arguments.schedule
            self.count(op, None if schedule is None else (added[0].name, schedule))
        self.nodes += len(added) - 1
        given = tuple(Flowing(value, _without_branches(step)) for value in added)
        frame.current = given if isinstance(op, Parting) else given[0]

    def count(self, op: Op, given: tuple[str, Schedule] | None) -> None:
        """Remember an op that schedules count: its node and schedule, or None where it has a number or is left out.

        A shared one counts once.
        """
        if not self.builder.repeats:
            self._schedules.setdefault(type(op), []).append(given)

    def settle_schedules(self) -> None:
        """Schedules become numbers, once the whole net is there."""
        changes: dict[str, dict[str, object]] = {}
        for kind, steps in self._schedules.items():
            assert kind.scheduled is not None
            for index, given in enumerate(steps):
                if given is not None:
                    name, schedule = given
                    changes[name] = {kind.scheduled: schedule.at(index, len(steps))}
        self.builder.change(changes)

    def _admit(self, step: tree.Invoke) -> None:
        if self.nodes >= self.limits.nodes:
            message = f"the net has more than {self.limits.nodes:,} ops"
            self.evaluator.refuse("nodes", message, step.name.span)
        self.evaluator.charge(OP, step.name.span)
        self.nodes += 1

    def check_result(self, result: tree.Result, flow: Flowing) -> None:
        """Report a result whose name is taken."""
        if result.name is None:
            return
        try:
            self.builder.check_result(result.name, flow.value)
        except Rejected as error:
            diagnostic = Diagnostic(error.id, error.message, result.span, help=error.help)
            raise SpecError(diagnostic) from None

    def no_input(self, step: tree.Invoke) -> NoReturn:
        """Report a step that comes before any tensor."""
        if self.inputs:
            help_ = "begin the line with a named tensor: `@x -> ...`"
        else:
            help_ = "begin with `input 1 28 28`, or compile with `--input 1x28x28`"
        fail("no-input", f"`{step.name.name}` has no tensor to work on", step.name.span, help=help_)

    def input_in_front(self) -> Tensors:
        """The input of a net that has none, as the caller asked for it."""
        try:
            op = bind(Input, self._asked_sizes(), {})
            value = self.builder.add(op, [])
        except Rejected as error:
            raise SpecError(Diagnostic(error.id, error.message, help=error.help)) from None
        self.inputs += 1
        self.nodes += 1
        return Flowing(value, None)

    def _asked_sizes(self) -> list[object]:
        """The caller's sizes; those that are known only at run time are words: `?T`."""
        asked = plain(self.input_shape)
        sizes = asked if isinstance(asked, tuple) else (asked,)
        return [self.evaluator.unknowns.read(size) for size in sizes]

    def sized_input(self, op: Op, step: tree.Invoke) -> Op:
        """An input of the net, in the size that the caller asked for."""
        self.inputs += 1
        if self.input_shape is None:
            return op
        if self.inputs > 1:
            message = "the net has several inputs, and one size is given for all"
            fail("several-inputs", message, step.name.span, help="change the sizes in the file")
        try:
            kept = {name: getattr(op, name) for name in ("dtype", "axes")}
            return bind(Input, self._asked_sizes(), kept)
        except Rejected as error:
            raise SpecError(Diagnostic(error.id, error.message, help=error.help)) from None


def _mistake(diagnostic: Diagnostic) -> SpecError:
    """What stops one step; at a limit, all that follow it."""
    return OverLimit(diagnostic) if diagnostic.id == "over-limit" else SpecError(diagnostic)


def _without_branches(step: tree.Invoke) -> Span:
    """The words of a step before its braces."""
    source, start, end = step.name.span
    return Span(source, start, step.arguments[-1].span.end if step.arguments else end)


def _origins(inputs: Sequence[Flowing]) -> tuple[Note, ...]:
    """Where the shapes came from that an op refuses."""
    notes = []
    for number, flow in enumerate(inputs[:4], start=1):
        what = "output" if len(inputs) == 1 else f"branch {number}"
        if flow.origin is not None:
            notes.append(Note(f"{what} is {flow.value.shape}", flow.origin))
    return tuple(notes)
