"""Children -> tree: one method for every rule of the grammar that makes a node. Knows no automaton."""

# ruff: noqa: D102 (a method is what the rule of its name says in the grammar)

from __future__ import annotations

from itertools import pairwise
from math import isinf
from typing import Any, NamedTuple

from netspec.diagnostics import Diagnostic, SpecError
from netspec.language import tree
from netspec.language.lexer import Token
from netspec.limits import Limits, exceeded
from netspec.source import Source, Span


class Kids(list[Any]):
    """Children on their way to the node that they belong to."""


class _Branches(NamedTuple):
    """What stands between the braces after a step's arguments."""

    bodies: tuple[tree.Body, ...]


class Nodes:
    """The nodes of one text. `run` parses a range of it: labels hold expressions."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits

    def run(self, goal: str, begin: int, stop: int) -> Any:
        """The value of the goal over a range of the text."""
        raise NotImplementedError

    # ---- files and declarations ----

    def start(self, kids: Kids, _: Span) -> Kids:
        return kids

    def use(self, kids: Kids, span: Span) -> tree.Use:
        return tree.Use(kids[0].text[1:-1], span)

    def block(self, kids: Kids, span: Span) -> tree.Block:
        name, *parameters, body = kids
        return tree.Block("block", self._name(name), tuple(parameters), body, span)

    def net(self, kids: Kids, span: Span) -> tree.Block:
        return self.block(kids, span)._replace(keyword="net")

    def variant(self, kids: Kids, span: Span) -> tree.Variant:
        name, base, *arguments = kids
        return tree.Variant(self._name(name), self._name(base), tuple(arguments), span)

    def parameter(self, kids: Kids, span: Span) -> tree.Parameter:
        return tree.Parameter(kids[0].text, kids[1] if len(kids) > 1 else None, span)

    def body(self, kids: Kids, span: Span) -> tree.Body:
        return tree.Body(tuple(kids), span)

    # ---- statements ----

    def let(self, kids: Kids, span: Span) -> tree.Let:
        return tree.Let(kids[0], kids[1], span)

    def targets(self, kids: Kids, span: Span) -> tree.Targets:
        items = (self._name(kid) if isinstance(kid, Token) else kid for kid in kids)
        return tree.Targets(tuple(items), span)

    def out(self, kids: Kids, span: Span) -> tree.Out:
        return tree.Out(tuple(kids), span)

    def result(self, kids: Kids, span: Span) -> tree.Result:
        return tree.Result(None, kids[0], span)

    def named_result(self, kids: Kids, span: Span) -> tree.Result:
        return tree.Result(kids[0].text, kids[1], span)

    def share(self, kids: Kids, span: Span) -> tree.Share:
        return tree.Share(self._name(kids[0]), kids[1], span)

    def assign(self, kids: Kids, span: Span) -> tree.Assign:
        *names, pipeline = kids
        return tree.Assign(tuple(self._tensor(name) for name in names), pipeline, span)

    def collect(self, kids: Kids, span: Span) -> tree.Collect:
        return tree.Collect(self._tensor(kids[0]), kids[1], span)

    def flow(self, kids: Kids, span: Span) -> tree.Flow:
        return tree.Flow(kids[0], span)

    # ---- pipelines and steps ----

    def pipeline(self, kids: Kids, span: Span) -> tree.Pipeline:
        if isinstance(kids[0], tree.Tensor | tree.Index):
            return tree.Pipeline(kids[0], tuple(kids[1:]), span)
        return tree.Pipeline(None, tuple(kids), span)

    def tensor(self, kids: Kids, _: Span) -> tree.Tensor:
        return self._tensor(kids[0])

    def labelled(self, kids: Kids, span: Span) -> tree.Step:
        label, step = kids
        labelled: tree.Step = step._replace(label=self._label(label), span=span)
        return labelled

    def invoke(self, kids: Kids, span: Span) -> tree.Invoke:
        name, *arguments = kids
        branches = None
        if arguments and isinstance(arguments[-1], _Branches):
            branches = arguments.pop().bodies
        for before, after in pairwise(arguments):
            if before.name is not None and after.name is None:
                message = "a positional argument stands after a named one"
                help_ = f"write `{after.span.text} {before.span.text}`"
                raise SpecError(Diagnostic("misplaced-argument", message, after.span, help=help_))
        return tree.Invoke(None, self._name(name), tuple(arguments), branches, span)

    def branches(self, kids: Kids, _: Span) -> _Branches:
        return _Branches(tuple(kids))

    def branch(self, kids: Kids, span: Span) -> tree.Body:
        return tree.Body(tuple(kids), span)

    def positional(self, kids: Kids, span: Span) -> tree.Argument:
        return tree.Argument(None, kids[0], span)

    def keyword(self, kids: Kids, span: Span) -> tree.Argument:
        return tree.Argument(kids[0].text, kids[1], span)

    def group(self, kids: Kids, span: Span) -> tree.Group:
        return tree.Group(None, kids[0], span)

    def if_(self, kids: Kids, span: Span) -> tree.If:
        return tree.If(None, kids[0], kids[1], None, span)

    def if_else(self, kids: Kids, span: Span) -> tree.If:
        return tree.If(None, kids[0], kids[1], kids[2], span)

    def for_(self, kids: Kids, span: Span) -> tree.For:
        return tree.For(None, kids[0], kids[1], kids[2], span)

    def repeat(self, kids: Kids, span: Span) -> tree.Repeat:
        return tree.Repeat(None, kids[0], kids[1], span)

    # ---- expressions ----

    def expression(self, kids: Kids, _: Span) -> tree.Expression:
        value: tree.Expression = kids[0]
        return value

    def chain(self, kids: Kids, span: Span) -> tree.Chain:
        operators = (kid.text for kid in kids[1::2])
        return tree.Chain(kids[0], tuple(zip(operators, kids[2::2], strict=True)), span)

    def not_in(self, kids: Kids, _: Span) -> Token:
        """Two words are one operator."""
        words: tuple[Token, Token] = (kids[0], kids[1])
        return words[0]._replace(text=" ".join(word.text for word in words))

    def unary(self, kids: Kids, span: Span) -> tree.Unary:
        return tree.Unary(kids[0].text, kids[1], span)

    def choice(self, kids: Kids, span: Span) -> tree.Choice:
        return tree.Choice(kids[0], kids[1], kids[2], span)

    def attribute(self, kids: Kids, span: Span) -> tree.Attribute:
        return tree.Attribute(kids[0], kids[1].text, span)

    def index(self, kids: Kids, span: Span) -> tree.Index:
        return tree.Index(kids[0], kids[1], span)

    def call(self, kids: Kids, span: Span) -> tree.Call:
        return tree.Call(self._name(kids[0]), tuple(kids[1:]), span)

    def list(self, kids: Kids, span: Span) -> tree.Items:
        return tree.Items(tuple(kids), span)

    def tuple(self, kids: Kids, span: Span) -> tree.Items:
        return tree.Items(tuple(kids), span)

    def comprehension(self, kids: Kids, span: Span) -> tree.Comprehension:
        item, targets, iterable, *condition = kids
        return tree.Comprehension(
            item, targets, iterable, condition[0] if condition else None, span
        )

    def name(self, kids: Kids, _: Span) -> tree.Name:
        return self._name(kids[0])

    def number(self, kids: Kids, span: Span) -> tree.Literal:
        (token,) = kids
        if token.type == "INT":
            return tree.Literal(self._integer(token.text, span), span)
        value = float(token.text)
        if isinf(value):
            raise SpecError(
                Diagnostic("bad-number", f"`{token.text}` is too large for a number", span)
            )
        return tree.Literal(value, span)

    def sizes(self, kids: Kids, span: Span) -> tree.Literal:
        return tree.Literal(
            tuple(self._integer(size, span) for size in kids[0].text.split("x")), span
        )

    def string(self, kids: Kids, span: Span) -> tree.Literal:
        return tree.Literal(kids[0].text[1:-1], span)

    def word(self, kids: Kids, span: Span) -> tree.Literal:
        return tree.Literal({"true": True, "false": False, "none": None}[kids[0].text], span)

    def dynamic(self, kids: Kids, span: Span) -> tree.Dynamic:
        return tree.Dynamic(kids[0].text[1:], span)

    # ---- tokens ----

    def _name(self, token: Token) -> tree.Name:
        return tree.Name(token.text, Span(self.source, token.start, token.end))

    def _tensor(self, token: Token) -> tree.Tensor:
        return tree.Tensor(token.text[1:], Span(self.source, token.start, token.end))

    def _integer(self, digits: str, span: Span) -> int:
        if len(digits) > self.limits.digits:
            message = f"a number has {len(digits)} digits"
            raise SpecError(exceeded("digits", self.limits, message, span))
        return int(digits)

    def _label(self, token: Token) -> tree.Label:
        """`layer{i + 1}:`, whose expressions stand in the same text and keep their places."""
        parts: list[str | tree.Expression] = []
        position, stop = token.start, token.end - 1
        while position < stop:
            opening = self.source.text.find("{", position, stop)
            if opening != position:
                end = stop if opening < 0 else opening
                parts.append(self.source.text[position:end])
                position = end
            else:
                closing = self.source.text.index("}", opening)
                parts.append(self.run("expression", opening + 1, closing))
                position = closing + 1
        return tree.Label(tuple(parts), Span(self.source, token.start, stop))
