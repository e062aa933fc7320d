"""One text checked: its mistakes, or else what rules object to; and fixed until nothing changes. Reads no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, SpecError
from netspec.ir import Graph
from netspec.language import tree
from netspec.language.expand import expand
from netspec.language.modules import Reader, link
from netspec.language.reports import in_order
from netspec.language.syntax import parse_what_can_be
from netspec.limits import DEFAULT, Limits, exceeded
from netspec.lint.edits import apply_fixes
from netspec.lint.ignores import read_ignores
from netspec.lint.rule import all_rules, matching
from netspec.lint.subject import Net, Subject
from netspec.source import Source

ROUNDS = 20  # of fixes that make room for others


class Options(NamedTuple):
    """What the caller asks of the nets: as `netspec.language.expand.expand` takes it."""

    net: str | None = None
    overrides: Mapping[str, object] | None = None
    input_shape: Sequence[int] | None = None
    limits: Limits = DEFAULT


class Report(NamedTuple):
    """What was found in a text. Without mistakes there are the graphs of its nets, dead steps included."""

    source: Source
    graphs: tuple[Graph, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def summaries(self) -> list[str]:
        """For each net its size and its results, in words."""
        found = []
        for net in map(Net, self.graphs):
            nodes = sum(
                node.name in net.live or node.op.kind == "input" for node in net.graph.nodes
            )
            ends = (net.graph.by_name[output.node].shape for output in net.graph.outputs)
            found.append(
                f"{net.graph.name}: {nodes} node{'s'[: nodes != 1]}, output {', '.join(map(str, ends))}"
            )
        return found

    @property
    def has_mistakes(self) -> bool:
        """Whether the text does not compile."""
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)


def check_source(
    source: Source,
    rules: frozenset[str],
    read: Reader | None = None,
    options: Options = Options(),  # noqa: B008 (it is immutable)
) -> Report:
    """The mistakes of a text; where there are none, what these rules object to, in the text's order.

    Every net is expanded, unless the options choose one. A text of blocks alone has no net, and is
    checked as far as it can be. Where there are more warnings than the limits allow, the last says how many.
    """
    report = _checked(source, rules, read, options)
    return report._replace(diagnostics=_bounded(report.diagnostics, options.limits))


def _checked(
    source: Source, rules: frozenset[str], read: Reader | None, options: Options
) -> Report:
    """The report of a text, with all warnings."""
    try:
        file = parse_what_can_be(source, options.limits)
        graphs = _expanded(file, read, options)
    except SpecError as error:
        return Report(source, (), tuple(error.diagnostics))
    ignores = read_ignores(source, options.limits)
    subject = Subject(file, graphs, rules, ignores, options.overrides or ())
    found: list[Diagnostic] = []
    for rule in all_rules():
        if rule.id in rules:
            found += (each for each in rule.apply(subject) if not _silenced(each, subject))
    return Report(source, graphs, tuple(in_order(found)))


def _bounded(found: tuple[Diagnostic, ...], limits: Limits) -> tuple[Diagnostic, ...]:
    """The first of the warnings, and how many there are besides; mistakes have a limit where they are found."""
    kept = limits.warnings
    more = sum(each.severity == "warning" for each in found) - kept
    if more <= 0:
        return found
    message = f"{more:,} more warning{'s'[: more != 1]} from here on"
    rest = exceeded("warnings", limits, message, found[kept].span)
    return (*found[:kept], rest._replace(severity="warning"))


def _silenced(diagnostic: Diagnostic, subject: Subject) -> bool:
    """Whether a comment, other than the one that it is about, silences a warning. All that do so are marked."""
    if not subject.ignores:
        return False
    assert diagnostic.span is not None
    start = diagnostic.span.start
    line, _ = diagnostic.span.source.place(start)
    silenced = False
    for ignore in subject.ignores_of(line):
        if ignore.span.start <= start < ignore.span.end:
            continue
        for word in ignore.words:
            if diagnostic.id in matching(word.text):
                ignore.silenced.add(word.text)
                silenced = True
    return silenced


def _expanded(file: tree.File, read: Reader | None, options: Options) -> tuple[Graph, ...]:
    """The graph of each net that the options do not exclude.

    Raises SpecError with the mistakes of all, one for each place.
    """
    nets = [
        item.name.name
        for item in file.items
        if isinstance(item, tree.Variant)
        or (isinstance(item, tree.Block) and item.keyword == "net")
    ]
    wanted: Sequence[str | None] = nets if options.net is None and len(nets) > 1 else [options.net]
    if not nets and options.net is None and _only_declares(file):
        link(file, read, options.limits)
        if file.mistakes:
            raise SpecError(*file.mistakes)
        return ()
    graphs = []
    mistakes: dict[object, Diagnostic] = {}
    for name in wanted:
        try:
            graphs.append(
                expand(
                    file,
                    net=name,
                    overrides=options.overrides,
                    input_shape=options.input_shape,
                    read=read,
                    limits=options.limits,
                    prune=False,
                )
            )
        except SpecError as error:
            for each in error.diagnostics:
                if each.id == "unknown-net" and each.span is None and file.mistakes:
                    continue  # it varies one that has a mistake
                key = (each.id, each.message) if each.span is None else each.span
                mistakes.setdefault(key, each)
    if mistakes:
        raise SpecError(*mistakes.values())
    return tuple(graphs)


def _only_declares(file: tree.File) -> bool:
    """Whether a text is there for others to use: it has blocks, and no step outside of them."""
    return any(isinstance(item, tree.Block | tree.Use) for item in file.items) and all(
        isinstance(item, tree.Block | tree.Use | tree.Let) for item in file.items
    )


def fix_source(
    source: Source,
    rules: frozenset[str],
    read: Reader | None = None,
    options: Options = Options(),  # noqa: B008 (it is immutable)
) -> tuple[Report, int]:
    """The report of a text after all fixes of these rules, whose source has the new text, and their number.

    A text with mistakes stays as it is. A fix that makes a mistake is a bug: it raises, and nothing is written.
    """
    report, total = _checked(source, rules, read, options), 0
    for _ in range(ROUNDS):
        fixes = [each.fix for each in report.diagnostics if each.fix is not None]
        if not fixes:
            break
        text, count = apply_fixes(report.source, fixes)
        report = _checked(Source(source.name, text), rules, read, options)
        assert not report.has_mistakes, f"a fix broke {source.name}: {report.diagnostics[0]}"
        total += count
    return report._replace(diagnostics=_bounded(report.diagnostics, options.limits)), total
