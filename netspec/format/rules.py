"""How statements and steps read: the tree with the words of its text, turned into parts for the layout."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netspec.format.expressions import Expressions
from netspec.format.layout import (
    Braces,
    Branch,
    Conditional,
    Fill,
    Parentheses,
    Part,
    Segment,
    flat,
    write_statements,
)
from netspec.format.names import Names
from netspec.format.page import Page
from netspec.format.words import NOTHING, Words, merged
from netspec.language import tree
from netspec.limits import Limits

_BRACES = re.compile(r"\{[^{}]*\}")


class Rules(Expressions):
    """One run over one file."""

    def __init__(self, file: tree.File, limits: Limits) -> None:
        super().__init__(Words(file.source, limits, 0, len(file.source.text)))
        self.file = file
        self.limits = limits
        self.names = Names(file)
        self._judged = False  # by an op, whose words may be called like other ops

    def text(self) -> str:
        """The canonical form of the file."""
        page = Page()
        statements = [self.segment(self._item, item) for item in self.file.items]
        write_statements(page, statements)
        page.comment(self.words.gap().comments, 0, first=not statements)
        return page.text()

    # ---- declarations ----

    def _item(
        self, item: tree.Statement | tree.Block | tree.Variant | tree.Use, parts: list[Part]
    ) -> None:
        match item:
            case tree.Use():
                self.keyword(parts)
                self.word(parts)
            case tree.Block():
                self._declaration(item, parts)
            case tree.Variant():
                self.keyword(parts)
                self.word(parts)
                self._equals(parts)
                self.word(parts)
                for argument in item.arguments:
                    parts.append(" ")
                    self._argument(argument, parts)
            case _:
                self._statement(item, parts)

    def _declaration(self, block: tree.Block, parts: list[Part]) -> None:
        self.keyword(parts)
        self.word(parts)
        if self.words.next.type != "LBRACE":
            self.rows(self._parameter, block.parameters, parts)
            if flat(parts[-1:]) == "()":
                parts.pop()
        parts.append(" ")
        self._braces([block.body], parts)

    def _parameter(self, parameter: tree.Parameter, parts: list[Part]) -> None:
        self.word(parts)
        if parameter.default is not None:
            self.word(parts)
            self.expression(parameter.default, parts, "value")

    # ---- statements ----

    def _statement(self, statement: tree.Statement, parts: list[Part]) -> None:
        match statement:
            case tree.Flow(pipeline):
                self._pipeline(pipeline, parts, offset=0)
            case tree.Let():
                self.keyword(parts)
                self.targets(statement.targets, parts)
                self._equals(parts)
                self.whole(statement.value, parts)
            case tree.Out(results):
                self.keyword(parts)
                single = len(results) == 1
                segments = self.commas(self._single_result if single else self._result, results)
                parts.append(Fill(segments, after=","))
            case tree.Share():
                self.keyword(parts)
                self.word(parts)
                self._equals(parts)
                self._pipeline(statement.pipeline, parts)
            case tree.Assign():
                self.word(parts)
                for _ in statement.names[1:]:
                    self.keyword(parts)  # a comma
                    self.word(parts)
                self._equals(parts)
                self._pipeline(statement.pipeline, parts)
            case tree.Collect():
                self.word(parts)
                self._equals(parts)
                self._pipeline(statement.pipeline, parts)

    def _equals(self, parts: list[Part]) -> None:
        parts.append(" ")
        self.keyword(parts)

    def _single_result(self, result: tree.Result, parts: list[Part]) -> None:
        self._result(result, parts, single=True)

    def _result(self, result: tree.Result, parts: list[Part], single: bool = False) -> None:
        """A tensor stands bare; steps stand in parentheses, but for a single result without a name."""
        if result.name is not None:
            self.word(parts)
            self.word(parts)
        pipeline = result.pipeline
        given = self.words.next.start < pipeline.span.start
        wanted = bool(pipeline.steps) and not (single and result.name is None)
        wanted = given if "#" in result.span.text else wanted
        if given:
            self.word(parts)
            parts.pop()
        inner: list[Part] = []
        with self.lines(free=wanted):
            self._pipeline(pipeline, inner)
        if given:
            self.word(inner)
            inner.pop()
        parts += [Parentheses("()", inner)] if wanted else inner

    # ---- pipelines and steps ----

    def _pipeline(self, pipeline: tree.Pipeline, parts: list[Part], offset: int = 2) -> None:
        """Steps, with arrows at the beginnings of lines: comments behind an arrow move before it."""
        start: list[Part] = []
        steps = list(pipeline.steps)
        if pipeline.start is not None:
            self.whole(pipeline.start, start)
        else:
            self._step(steps.pop(0), start)
        segments = [Segment(NOTHING, start)]
        for step in steps:
            before = self.words.gap()
            self.words.take()
            segment = self.segment(self._step, step)
            segment.gap = merged(before, segment.gap)
            segments.append(segment)
        parts += start if not steps else [Fill(segments, before="-> ", offset=offset)]

    def _step(self, step: tree.Step, parts: list[Part]) -> None:
        if step.label is not None:
            self._label(step.label, parts)
        match step:
            case tree.Invoke():
                self.word(parts, self.names.canonical(step.name.name))
                self._judged = not self.names.takes_ops(step.name.name)
                for argument in step.arguments:
                    parts.append(" ")
                    self._argument(argument, parts)
                self._judged = False
                if step.branches is not None:
                    parts.append(" ")
                    self._braces(step.branches, parts)
            case tree.Group():
                self._braces([step.body], parts)
            case tree.If():
                self._if(step, parts)
            case tree.For():
                self.keyword(parts)
                self.targets(step.targets, parts)
                self._equals(parts)  # `in`
                self.whole(step.iterable, parts)
                parts.append(" ")
                self._braces([step.body], parts)
            case tree.Repeat():
                self.keyword(parts)
                self.whole(step.rounds, parts)
                parts.append(" ")
                self._braces([step.body], parts)

    def _label(self, label: tree.Label, parts: list[Part]) -> None:
        """A label is one word of the text, whose expressions have words of their own."""
        written = label.span.text
        if "#" not in written:
            expressions = (part for part in label.parts if not isinstance(part, str))
            written = _BRACES.sub(
                lambda found: self._in_label(next(expressions), label.span.start + found.start()),
                written,
            )
        self.word(parts, f"{written}: ")

    def _in_label(self, node: tree.Expression, begin: int) -> str:
        """An expression between the braces of a label, the first of which stands at `begin`."""
        source = self.file.source
        end = source.text.index("}", begin)
        parts: list[Part] = []
        Expressions(Words(source, self.limits, begin + 1, end)).whole(node, parts)
        text = flat(parts)
        return source.text[begin : end + 1] if text is None else f"{{{text}}}"

    def name_of(self, node: tree.Name) -> str:
        """An op that is a value has its own name, too."""
        return node.name if self._judged else self.names.value(node.name)

    def _argument(self, argument: tree.Argument, parts: list[Part]) -> None:
        if argument.name is None:
            self.expression(argument.value, parts, "argument")
        else:
            self.word(parts)
            self.word(parts)
            self.expression(argument.value, parts, "value")

    def _if(self, step: tree.If, parts: list[Part]) -> None:
        inner: list[Part] = []
        otherwise: tree.Body | tree.If | None = step
        while otherwise is not None:
            if inner:
                inner.append(" ")
                self.keyword(inner)  # `else`
            if isinstance(otherwise, tree.If):
                self.keyword(inner)
                self.whole(otherwise.condition, inner)
                inner.append(" ")
                self._braces([otherwise.body], inner)
                otherwise = otherwise.otherwise
            else:
                self._braces([otherwise], inner)
                otherwise = None
        parts.append(Conditional(inner))

    def _braces(self, bodies: Sequence[tree.Body], parts: list[Part]) -> None:
        """Statements between braces, in branches."""
        begin = self.words.next.end
        self.word(parts)
        parts.pop()
        branches: list[Branch] = []
        with self.lines(free=False):
            for body in bodies:
                gap = NOTHING
                if branches:
                    gap = self.words.gap()
                    self.words.take()
                statements = [self.segment(self._statement, item) for item in body.statements]
                branches.append(Branch(gap.comments, statements))
        end = self.words.gap()
        broken = self.file.source.text.find("\n", begin, self.words.next.start) >= 0
        self.words.take()
        parts.append(Braces(branches, end.comments, broken))
