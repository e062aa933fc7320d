"""Statements, pipelines and control flow. Knows nothing of nets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from netspec.diagnostics import Note
from netspec.dim import Dim, UnknownSize
from netspec.language import sharing, tree
from netspec.language.calls import Calls
from netspec.language.evaluate import Evaluator, bound_names
from netspec.language.placing import Placer
from netspec.language.reports import fail
from netspec.language.values import (
    POISON,
    Flowing,
    Frame,
    Poison,
    Poisoned,
    Tensors,
    assignments,
    holds_tensor,
    is_list,
    kind,
)
from netspec.language.walks import Walk
from netspec.limits import Limits
from netspec.source import Span

ROUND = 10
"""Steps that a round of a loop is charged for; a dot of a label costs as much."""


class Steps(Calls):
    """What runs the body of a net or a block."""

    def __init__(self, placer: Placer, evaluator: Evaluator, limits: Limits) -> None:
        super().__init__(placer, evaluator, limits)
        self.results: dict[str | None, Flowing] = {}

    @abstractmethod
    def is_overridden(self, frame: Frame, let: tree.Let) -> bool:
        """Whether the caller gave a name its value, which then stands in the frame."""

    # ---- statements ----

    def statements(self, frame: Frame, statements: Sequence[tree.Statement]) -> Walk:
        """One after another, each charged for."""
        for statement in statements:
            self.evaluator.charge(1, statement.span)
            match statement:
                case tree.Flow():
                    yield self.pipeline(frame, statement.pipeline)
                case tree.Let():
                    self._let(frame, statement)
                case tree.Assign():
                    yield self._assign(frame, statement)
                case tree.Collect():
                    yield self._collect(frame, statement)
                case tree.Out():
                    yield self._out(frame, statement)
                case tree.Broken():
                    frame.current = POISON
                    frame.names.update(dict.fromkeys(statement.names, POISON))
                    frame.tensors.update(dict.fromkeys(statement.names, POISON))
                case tree.Share():
                    frame.names[statement.name.name] = POISON
                    with self.reports.reporting():
                        shared = sharing.declare(
                            statement, self.evaluator, frame, self.placer.builder
                        )
                        frame.names[statement.name.name] = shared

    def _let(self, frame: Frame, let: tree.Let) -> None:
        with self.reports.reporting(frame, let):
            if not self.is_overridden(frame, let):
                self.evaluator.bind(let.targets, self.evaluator.value(let.value, frame), frame)

    def _assign(self, frame: Frame, assign: tree.Assign) -> Walk:
        names, current = [name.name for name in assign.names], frame.current
        yield self.pipeline(
            frame, assign.pipeline, input_name=names[0] if len(names) == 1 else None
        )
        result, frame.current = frame.current, current
        if len(names) == 1:
            frame.tensors[names[0]] = POISON if result is None else result
            self.placer.call(result, names[0])
            return
        frame.tensors.update(dict.fromkeys(names, POISON))
        with self.reports.reporting():
            parts = self._shared_out(assign, result)
            frame.tensors.update(zip(names, parts, strict=True))
            for name, part in zip(names, parts, strict=True):
                self.placer.call(part, name)

    @staticmethod
    def _shared_out(assign: tree.Assign, result: Tensors | None) -> Sequence[Flowing | Poison]:
        """A list of tensors, one for each name of an assignment."""
        first, last = assign.names[0].span, assign.names[-1].span
        span, wanted = Span(first.source, first.start, last.end), len(assign.names)
        if isinstance(result, Poison) or result is None:
            raise Poisoned
        if isinstance(result, Flowing):
            message = f"{wanted} names, but one tensor to share among them"
            fail("wrong-count", message, span, help="`split` and `unstack` give several")
        if len(result) != wanted:
            fail("wrong-count", f"{wanted} names, but {len(result)} tensors", span)
        return result

    def _collect(self, frame: Frame, collect: tree.Collect) -> Walk:
        name, current = collect.name.name, frame.current
        before = frame.tensors.get(name, ())
        yield self.pipeline(frame, collect.pipeline)
        result, frame.current = frame.current, current
        with self.reports.reporting():
            if isinstance(before, Flowing):
                message = f"`@{name}` is one tensor and collects no others"
                fail("wrong-type", message, collect.name.span, help=f"`@{name} = ...` replaces it")
            if isinstance(before, tuple) and isinstance(result, Flowing | tuple):
                more = (result,) if isinstance(result, Flowing) else result
                frame.tensors[name] = (*before, *more)
                return
        frame.tensors[name] = POISON

    def _out(self, frame: Frame, out: tree.Out) -> Walk:
        for result in out.results:
            current = frame.current
            yield self.pipeline(frame, result.pipeline)
            value, frame.current = frame.current, current
            with self.reports.reporting():
                if not frame.is_net:
                    fail(
                        "misplaced-out", "`out` names results of the net, not of a block", out.span
                    )
                if result.name in self.results:
                    name = f"`{result.name}`" if result.name else "without a name"
                    help_ = None if result.name else "write `out first=@a, second=@b`"
                    fail("duplicate-name", f"a second result {name}", result.span, help=help_)
                if is_list(value):
                    fail("wrong-type", "a result is one tensor, not a list", result.span)
                if isinstance(value, Flowing):
                    self.placer.check_result(result, value)
                    self.results[result.name] = value

    # ---- pipelines and control flow ----

    def pipeline(
        self, frame: Frame, pipeline: tree.Pipeline, input_name: str | None = None
    ) -> Walk:
        """Run the steps from the current tensor on; what the last one gives is current then."""
        if pipeline.start is not None:
            with self.reports.reporting(frame):
                frame.current = self.evaluator.start(pipeline.start, frame)
        for step in pipeline.steps:
            with self.reports.reporting(frame, step):
                if isinstance(step, tree.Invoke):
                    label = self._label(step.label, frame)
                    if label is None and step.name.name == "input":
                        label = input_name
                    yield self.invoke(frame, step, label)
                else:
                    yield self._control(frame, step)

    def _control(self, frame: Frame, step: tree.Group | tree.If | tree.For | tree.Repeat) -> Walk:
        match step:
            case tree.Group():
                with self._labelled(step, self._label(step.label, frame)):
                    yield from self.statements(frame, step.body.statements)
            case tree.If():
                yield self._if(frame, step, step)
            case tree.Repeat():
                yield self._repeat(frame, step)
            case tree.For():
                yield self._for(frame, step)

    def _labelled(self, step: tree.Step, label: str | None) -> AbstractContextManager[None]:
        """The scope of a labelled step. Where nothing is added, nobody opens it."""
        return nullcontext() if label is None else self.placer.scope(label, step.label)

    def _if(self, frame: Frame, step: tree.If, first: tree.If) -> Walk:
        """An `if`, or an `else if` of the `first` one, which has the label."""
        chosen = step.body if self.evaluator.truth(step.condition, frame) else step.otherwise
        if isinstance(chosen, tree.If):
            yield self._if(frame, chosen, first)
        elif chosen is not None:
            with self._labelled(first, self._label(first.label, frame)):
                yield from self.statements(frame, chosen.statements)

    def _repeat(self, frame: Frame, step: tree.Repeat) -> Walk:
        count = self.evaluator.value(step.rounds, frame)
        span = step.rounds.span
        if isinstance(count, Dim):
            self.evaluator.need_known(UnknownSize(str(count)), span)
        if type(count) is not int or count < 0:
            fail("wrong-type", f"`repeat` takes a whole number of rounds, not {kind(count)}", span)
        if count > self.limits.nodes:
            self.evaluator.refuse("nodes", f"{count:,} rounds of a loop", span)
        label = self._label(step.label, frame)
        with self._labelled(step, label) if count else nullcontext():
            for number in range(count):
                with self.reports.tracing(partial(self._round_note, number, count, span)):
                    yield self._round(frame, step.body, label, number)

    @staticmethod
    def _round_note(number: int, count: int, span: Span) -> Note:
        return Note(f"in round {number + 1} of {count}", span)

    def _for(self, frame: Frame, step: tree.For) -> Walk:
        items = self.evaluator.items(step.iterable, frame)
        label = self._label(step.label, frame)
        bound = bound_names(step.targets)
        outer = {name: frame.names[name] for name in bound if name in frame.names}
        tensors = {name: frame.tensors[name] for name in bound if name in frame.tensors}
        carried: list[str] = []
        try:
            with self._labelled(step, label) if items else nullcontext():
                for number, item in enumerate(items):
                    self.evaluator.bind(step.targets, item, frame)
                    carried = [name for name in bound if holds_tensor(frame.names[name])]
                    values = [(name, frame.names[name]) for name in bound]
                    with self.reports.tracing(partial(self._loop_note, values, step.targets.span)):
                        yield self._round(frame, step.body, label, number)
        finally:
            for name in bound:
                frame.names.pop(name, None)
            frame.names.update(outer)
            for name in carried:
                frame.tensors.pop(name, None)
                frame.tensors.update({name: tensors[name]} if name in tensors else {})

    @staticmethod
    def _loop_note(values: Sequence[tuple[str, object]], span: Span) -> Note:
        return Note(f"in the loop, with {assignments(values)}", span)

    def _round(self, frame: Frame, body: tree.Body, label: str | None, number: int) -> Walk:
        """One round of a loop. Under a label its one step, or else its scope, has a number."""
        self.evaluator.charge(ROUND, body.span)
        step = _only_call(body)
        if label is None:
            yield from self.statements(frame, body.statements)
        elif step is not None:
            yield from self.statements(frame, body.statements[:-1])
            with self.reports.reporting(frame, step):
                yield self.invoke(frame, step, str(number))
        else:
            with self.placer.scope(str(number), None):
                yield from self.statements(frame, body.statements)

    # ---- names ----

    def _label(self, label: tree.Label | None, frame: Frame) -> str | None:
        """The text of a label, the expressions between its braces computed."""
        if label is None:
            return None
        parts = []
        for part in label.parts:
            if not isinstance(part, str):
                value = self.evaluator.value(part, frame)
                if isinstance(value, bool) or not isinstance(value, int | str):
                    fail("bad-name", f"{kind(value)} cannot be a part of a name", part.span)
                part = str(value)
            parts.append(part)
        text = "".join(parts)
        self.evaluator.charge(ROUND * text.count("."), label.span)
        return text


def _only_call(body: tree.Body) -> tree.Invoke | None:
    """The one unlabelled call of an op or a block that a loop's body makes, after `let`s if any."""
    if not body.statements or not isinstance(last := body.statements[-1], tree.Flow):
        return None
    if not all(isinstance(before, tree.Let) for before in body.statements[:-1]):
        return None
    return sharing.lone_step(last.pipeline)
