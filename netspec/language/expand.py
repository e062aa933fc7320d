"""Tree -> shaped graph: nets and blocks run on a graph builder. Knows nothing of targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.builder import GraphBuilder
from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.interop import plain
from netspec.ir import Graph
from netspec.language import tree
from netspec.language.evaluate import Evaluator
from netspec.language.modules import Contents, Reader, link
from netspec.language.nets import Entry, override_value, parse_override, select
from netspec.language.placing import Placer
from netspec.language.reports import OverLimit, fail, in_order
from netspec.language.steps import Steps
from netspec.language.values import (
    Flowing,
    Frame,
    Module,
)
from netspec.language.walks import Walk, run
from netspec.limits import DEFAULT, Limits
from netspec.ops import Rejected

__all__ = ["expand", "parse_override"]


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


class _Expansion(Steps):
    """One run over a whole net."""

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
        statements = entry.net.body.statements if entry.net else entry.statements
        self.net_frame = Frame(entry.module, None, statements, is_net=True)
        texts = [entry.source, *(file.source for file in used)]
        evaluator = Evaluator(limits, sum(len(source.text) for source in texts))
        self.overrides = {
            name: override_value(name, plain(value), evaluator, entry.module)
            for name, value in overrides.items()
        }
        placer = Placer(GraphBuilder(entry.name, limits), evaluator, input_shape)
        super().__init__(placer, evaluator, limits)

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
        results = [(name, flow.value) for name, flow in self.results.items()]
        try:
            return self.placer.builder.finish(results, prune=prune)
        except Rejected as error:
            span = self.results[None].origin  # only what the spec gives no name is wrong here
            raise SpecError(Diagnostic(error.id, error.message, span, help=error.help)) from None

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
            yield from self.statements(frame, entry.statements)
            return
        yield self._constants(entry.module, entry.statements)
        with self.reports.reporting():
            self._bind_parameters(entry.net, frame)
            yield from self.statements(frame, entry.net.body.statements)

    def _constants(self, module: Module, statements: Sequence[tree.Statement]) -> Walk:
        """What stands outside of a file's blocks and nets, for all of them to see."""
        frame = Frame(module)
        module.constants = frame.names
        yield from self.statements(frame, statements)

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

    def is_overridden(self, frame: Frame, let: tree.Let) -> bool:
        """`--set` replaces a `let` of a file without a net header, but none in a loop or a branch."""
        if frame is not self.net_frame or self.entry.net is not None:
            return False
        name = _single_name(let)
        if name not in self.overrides or not any(let is each for each in self.entry.statements):
            return False
        frame.names[name] = self.overrides[name]
        return True


def _replaceable(statements: Sequence[tree.Statement]) -> list[str]:
    """The names that a file gives to single values, which the caller may replace."""
    lets = (statement for statement in statements if isinstance(statement, tree.Let))
    return [name for let in lets if (name := _single_name(let)) is not None]


def _single_name(let: tree.Let) -> str | None:
    """The name of a `let` that has one; None where it takes a list apart."""
    (first, *others) = let.targets.items
    return first.name if isinstance(first, tree.Name) and not others else None
