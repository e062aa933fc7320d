"""Tree -> shaped graph: nets and blocks run on a graph builder. Knows nothing of targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from netspec.builder import GraphBuilder
from netspec.diagnostics import Diagnostic, Note, SpecError, did_you_mean
from netspec.dim import Dim, UnknownSize
from netspec.ir import Graph
from netspec.language import sharing, tree
from netspec.language.arguments import OpArguments, bind_block, called_with, plain_arguments
from netspec.language.evaluate import Evaluator, OverLimit, bound_names, callable_names, fail
from netspec.language.modules import Contents, Reader, link
from netspec.language.nets import Entry, override_value, parse_override, select
from netspec.language.placing import Placer
from netspec.language.reports import Reports, in_order
from netspec.language.values import (
    POISON,
    Callee,
    Closure,
    Flowing,
    Frame,
    Module,
    Poison,
    Poisoned,
    Shared,
    Tensors,
    assignments,
    holds_tensor,
    is_list,
    kind,
)
from netspec.language.walks import Walk, run
from netspec.limits import DEFAULT, Limits
from netspec.ops import Op, find
from netspec.source import Span

__all__ = ["expand", "parse_override"]

CALL, ROUND = 40, 10
"""Steps that a call of a block and a round of a loop are charged for; a dot of a label costs as much as a round."""


def expand(
    file: tree.File,
    *,
    net: str | None = None,
    overrides: Mapping[str, object] | None = None,
    input_shape: Sequence[int | str] | None = None,
    read: Reader | None = None,
    limits: Limits = DEFAULT,
    prune: bool = True,
) -> Graph:
    """The graph of a file's net. Raises SpecError with every independent mistake, those of its text included.

    `overrides` replace the net's parameters. `input_shape` replaces the size of its one input, or
    puts an input in front of a net that has none. `read` gives the files that it uses. Without
    `prune`, steps that lead to no result stay.
    """
    try:
        main, used = link(file, read, limits)
        entry = select(main, net)
        expansion = _Expansion(entry, used, dict(overrides or {}), input_shape, limits)
        return expansion.graph(prune, is_whole=not file.mistakes)
    except SpecError as error:
        if not file.mistakes:
            raise
        raise SpecError(*in_order([*file.mistakes, *error.diagnostics])[: limits.errors]) from None


class _Expansion:
    """One run: the builder, what was reported, and how expansion came to where it is."""

    def __init__(
        self,
        entry: Entry,
        used: Sequence[Contents],
        overrides: dict[str, object],
        input_shape: Sequence[int | str] | None,
        limits: Limits,
    ) -> None:
        self.entry = entry
        self.used = used
        self.limits = limits
        statements = entry.net.body.statements if entry.net else entry.statements
        self.net_frame = Frame(entry.module, None, statements, is_net=True)
        texts = [entry.source, *(file.source for file in used)]
        self.evaluator = Evaluator(limits, sum(len(source.text) for source in texts))
        self.overrides = {
            name: override_value(value, self.evaluator, entry.module)
            for name, value in overrides.items()
        }
        self.placer = Placer(GraphBuilder(entry.name, limits), self.evaluator, input_shape)
        self.reports = Reports(limits)
        self.results: dict[str | None, Flowing] = {}
        self.depth = 0
        self.beside = True
        """Whether the branch that is run stands beside others: not so in a residual without its shortcut."""

    # ---- a whole net ----

    def graph(self, prune: bool, *, is_whole: bool) -> Graph:
        """Run the net and give its graph, or raise what was found; of a net with broken statements only that."""
        frame = self.net_frame
        try:
            run(self._net(frame))
            if is_whole and not self.reports.found:
                self._finish(frame)
        except OverLimit as stop:
            self.reports.report(stop)
        if self.reports.found or not is_whole:
            raise self.reports.error()
        self.placer.settle_schedules()
        return self.placer.builder.finish(
            [(name, flow.value) for name, flow in self.results.items()], prune=prune
        )

    def _net(self, frame: Frame) -> Walk:
        entry = self.entry
        for file in self.used:
            yield self._constants(file.module, file.statements)
        if self.placer.input_shape is not None and not entry.has_input:
            frame.current = self.placer.input_in_front()
        if entry.net is None:
            entry.module.constants = frame.names
            with self.reports.reporting():
                self._check_overrides(_replaceable(entry.statements))
            yield from self._statements(frame, entry.statements)
            return
        yield self._constants(entry.module, entry.statements)
        with self.reports.reporting():
            self._bind_parameters(entry.net, frame)
            yield from self._statements(frame, entry.net.body.statements)

    def _constants(self, module: Module, statements: Sequence[tree.Statement]) -> Walk:
        """What stands outside of a file's blocks and nets, for all of them to see."""
        frame = Frame(module)
        module.constants = frame.names
        yield from self._statements(frame, statements)

    def _finish(self, frame: Frame) -> None:
        """The last current tensor is the result of a net that names none."""
        if not self.results:
            result = frame.current
            if not isinstance(result, Flowing):
                message = f"the net `{self.entry.name}` ends without a tensor"
                span = self.entry.net.name.span if self.entry.net else None
                help_ = "begin with `input 1 28 28`" if result is None else "add or concat the list"
                self.reports.report(SpecError(Diagnostic("no-output", message, span, help=help_)))
                return
            self.results[None] = result

    def _check_overrides(self, known: Sequence[str]) -> None:
        for name in self.overrides:
            if name not in known:
                help_ = did_you_mean(name, known)
                listed = ", ".join(f"`{name}`" for name in known)
                message = f"the net `{self.entry.name}` has no parameter `{name}`"
                help_ = help_ or (f"it has {listed}" if known else "it has none")
                raise SpecError(Diagnostic("unknown-parameter", message, help=help_))

    def _bind_parameters(self, net: tree.Block, frame: Frame) -> None:
        self._check_overrides([parameter.name for parameter in net.parameters])
        for parameter in net.parameters:
            if parameter.name in self.overrides:
                frame.names[parameter.name] = self.overrides[parameter.name]
            elif parameter.default is not None:
                frame.names[parameter.name] = self.evaluator.value(parameter.default, frame)
            else:
                fail(
                    "missing-argument",
                    f"the net `{net.name.name}` needs `{parameter.name}`",
                    parameter.span,
                    help=f"give it a default, or `--set {parameter.name}=...`",
                )

    # ---- statements ----

    def _statements(self, frame: Frame, statements: Sequence[tree.Statement]) -> Walk:
        for statement in statements:
            self.evaluator.charge(1, statement.span)
            match statement:
                case tree.Flow():
                    yield self._pipeline(frame, statement.pipeline)
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
                        shared = sharing.declare(statement, frame, self.placer.builder)
                        frame.names[statement.name.name] = shared

    def _let(self, frame: Frame, let: tree.Let) -> None:
        with self.reports.reporting():
            if frame is self.net_frame and self.entry.net is None and self._overridden(frame, let):
                return
            self.evaluator.bind(let.targets, self.evaluator.value(let.value, frame), frame)
            return
        self.evaluator.poison(let.targets, frame)

    def _overridden(self, frame: Frame, let: tree.Let) -> bool:
        """`--set` replaces a `let` of a file without a net header."""
        target = let.targets.items[0]
        if len(let.targets.items) > 1 or not isinstance(target, tree.Name):
            return False
        if target.name not in self.overrides:
            return False
        frame.names[target.name] = self.overrides[target.name]
        return True

    def _assign(self, frame: Frame, assign: tree.Assign) -> Walk:
        names, current = [name.name for name in assign.names], frame.current
        yield self._pipeline(
            frame, assign.pipeline, input_name=names[0] if len(names) == 1 else None
        )
        result, frame.current = frame.current, current
        if len(names) == 1:
            frame.tensors[names[0]] = POISON if result is None else result
            return
        frame.tensors.update(dict.fromkeys(names, POISON))
        with self.reports.reporting():
            frame.tensors.update(zip(names, self._shared_out(assign, result), strict=True))

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
        yield self._pipeline(frame, collect.pipeline)
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
            yield self._pipeline(frame, result.pipeline)
            value, frame.current = frame.current, current
            with self.reports.reporting():
                if not frame.is_net:
                    fail(
                        "misplaced-out", "`out` names results of the net, not of a block", out.span
                    )
                if result.name in self.results:
                    name = f"`{result.name}`" if result.name else "without a name"
                    fail("duplicate-name", f"a second result {name}", result.span)
                if is_list(value):
                    fail("wrong-type", "a result is one tensor, not a list", result.span)
                if isinstance(value, Flowing):
                    self.placer.check_result(result, value)
                    self.results[result.name] = value

    # ---- pipelines and steps ----

    def _pipeline(
        self, frame: Frame, pipeline: tree.Pipeline, input_name: str | None = None
    ) -> Walk:
        """Run the steps from the current tensor on; what the last one gives is current then."""
        if pipeline.start is not None:
            with self.reports.reporting(frame):
                frame.current = self.evaluator.start(pipeline.start, frame)
        for step in pipeline.steps:
            with self.reports.reporting(frame):
                if isinstance(step, tree.Invoke):
                    label = self._label(step.label, frame)
                    if label is None and step.name.name == "input":
                        label = input_name
                    yield self._invoke(frame, step, label)
                else:
                    yield self._control(frame, step)

    def _control(self, frame: Frame, step: tree.Group | tree.If | tree.For | tree.Repeat) -> Walk:
        match step:
            case tree.Group():
                with self._labelled(step, self._label(step.label, frame)):
                    yield from self._statements(frame, step.body.statements)
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
                yield from self._statements(frame, chosen.statements)

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
            yield from self._statements(frame, body.statements)
        elif step is not None:
            yield from self._statements(frame, body.statements[:-1])
            with self.reports.reporting(frame):
                yield self._invoke(frame, step, str(number))
        else:
            with self.placer.scope(str(number), None):
                yield from self._statements(frame, body.statements)

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

    # ---- ops and blocks ----

    def _invoke(self, frame: Frame, step: tree.Invoke, label: str | None) -> Walk:
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
            help_ = did_you_mean(name, [*callable_names(frame.home), "residual", "repeat"])
        fail("unknown-op", f"unknown op `{name}`", step.name.span, help=help_)

    def _block(self, frame: Frame, step: tree.Invoke, closure: Closure, label: str | None) -> Walk:
        block = closure.block
        if step.branches is not None:
            span = step.branches[0].span
            fail("unexpected-branches", f"the block `{block.name.name}` takes no branches", span)
        inner = bind_block(step, closure, self.evaluator, frame)
        with (
            self._deeper(step),
            self.placer.scope(
                label, step.label, block, plain_arguments(inner, block), step.name.span
            ),
            self.reports.tracing(partial(self._call_note, inner, block, step.name.span)),
        ):
            yield from self._statements(inner, block.body.statements)
        frame.current = inner.current

    @staticmethod
    def _call_note(frame: Frame, block: tree.Block, span: Span) -> Note:
        values = assignments(called_with(frame, block))
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
                    yield self._invoke(inner, call, label)
                else:
                    with self.placer.scope(label, None, at=shared.statement.name.span):
                        yield self._pipeline(inner, pipeline)
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
        for argument in step.arguments:
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
            yield from self._statements(frame, step.branches[0].statements)
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
                yield from self._statements(frame, branch.statements)
            branches.append(frame.current)
        if op.scheduled is not None and not self.beside:
            self.placer.count(arguments.bind(), None)
        else:
            self.placer.add(frame, arguments, branches, label)


def _replaceable(statements: Sequence[tree.Statement]) -> list[str]:
    """The names that a file gives to single values, which the caller may replace."""
    return [
        name
        for statement in statements
        if isinstance(statement, tree.Let) and len(bound_names(statement.targets)) == 1
        for name in bound_names(statement.targets)
    ]


def _only_call(body: tree.Body) -> tree.Invoke | None:
    """The one unlabelled call of an op or a block that a loop's body makes, after `let`s if any."""
    if not body.statements or not isinstance(last := body.statements[-1], tree.Flow):
        return None
    if not all(isinstance(before, tree.Let) for before in body.statements[:-1]):
        return None
    return sharing.lone_step(last.pipeline)
