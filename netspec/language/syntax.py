"""Text -> tree: drives the generated tables and builds nodes. Knows nothing of what names mean."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from itertools import pairwise
from math import isinf
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from netspec.diagnostics import Diagnostic, SpecError
from netspec.language import tree
from netspec.language.lexer import Token, tokens
from netspec.language.mistakes import unexpected
from netspec.limits import DEFAULT, Limits, exceeded
from netspec.source import Source, Span


class _Tables(NamedTuple):
    """What grammar/build.py made of the grammar.

    A rule is its symbol, its length, which children are kept, and the method that builds a node of
    them. A state maps a symbol to the state that follows, or to -1 less the number of a rule.
    """

    pattern: re.Pattern[str]
    words: dict[str, str]
    spellings: dict[str, str]
    rules: list[tuple[str, int, list[int], str | None]]
    states: list[dict[str, int]]
    starts: dict[str, int]
    ends: dict[str, int]


@cache
def _tables() -> _Tables:
    path = Path(*import_module("netspec.grammar").__path__, "tables.json")
    raw = json.loads(path.read_text("utf-8"))
    raw["pattern"] = re.compile(raw["pattern"], re.ASCII)
    return _Tables(**raw)


def read_tokens(source: Source, limits: Limits, begin: int, stop: int) -> Iterator[Token]:
    """The tokens of a range of a text, `$END` last. Raises SpecError."""
    tables = _tables()
    return tokens(source, tables.pattern, tables.words, limits, begin, stop)


def parse(
    source: Source, limits: Limits = DEFAULT, begin: int = 0, stop: int | None = None
) -> tree.File:
    """The tree of a text, or of a range of it. Raises SpecError with the first mistake."""
    if len(source.text) > limits.source_bytes:
        message = f"the text has {len(source.text):,} characters"
        raise SpecError(exceeded("source_bytes", limits, message, None))
    end = len(source.text) if stop is None else stop
    items = _Parser(source, limits).run("start", begin, end)
    return tree.File(source, tuple(items))


def parse_expression(source: Source, begin: int, limits: Limits = DEFAULT) -> tree.Expression:
    """The expression that stands from an offset to the end of a text."""
    value: tree.Expression = _Parser(source, limits).run("expression", begin, len(source.text))
    return value


class _Kids(list[Any]):
    """Children on their way to the node that they belong to."""


class _Branches(NamedTuple):
    """What stands between the braces after a step's arguments."""

    bodies: tuple[tree.Body, ...]


def _gather(children: Sequence[Any], kept: Sequence[int]) -> _Kids:
    """The kept children, lists spliced in. The first grows in place: long ones stay linear."""
    kids: _Kids | None = None
    for index in kept:
        child = children[index]
        if kids is None:
            kids = child if type(child) is _Kids else _Kids((child,))
        elif type(child) is _Kids:
            kids += child
        else:
            kids.append(child)
    return _Kids() if kids is None else kids


def _expected(tables: _Tables, path: Sequence[int]) -> list[str]:
    """The terminals that would be taken here, found by trying: a state alone promises too many."""
    found = []
    for terminal in tables.states[path[-1]]:
        if terminal.lstrip("_$").isupper():
            trial = list(path)
            action = tables.states[trial[-1]].get(terminal)
            while action is not None and action < 0:
                symbol, length, _, _ = tables.rules[-1 - action]
                del trial[len(trial) - length :]
                trial.append(tables.states[trial[-1]][symbol])
                if trial[-1] in tables.ends.values():
                    break
                action = tables.states[trial[-1]].get(terminal)
            if action is not None:
                found.append(terminal)
    return found


class _Parser:
    """One run over one text: the automaton, and one method for every kind of node."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits

    def run(self, goal: str, begin: int, stop: int) -> Any:
        """The value of the goal over a range of the text: shift and reduce, without recursion.

        The stacks hold for each symbol its state, its value, where it starts, and its depth.
        """
        tables = _tables()
        states, rules = tables.states, tables.rules
        end_state = tables.ends[goal]
        path = [tables.starts[goal]]
        values: list[Any] = [None]
        starts, depths = [begin], [0]
        deepest, tallest = 2 * self.limits.nesting, 16 * self.limits.nesting
        before: Token | None = None
        for token in read_tokens(self.source, self.limits, begin, stop):
            kind = token.type
            while True:
                action = states[path[-1]].get(kind)
                if action is None:
                    expected = _expected(tables, path)
                    raise SpecError(
                        unexpected(self.source, token, before, expected, tables.spellings)
                    )
                if action >= 0:
                    break
                symbol, length, kept, method = rules[-1 - action]
                if method is None and length == 1 and kept:  # passes its child on: most rules do
                    path[-1] = states[path[-2]][symbol]
                    continue
                if length:
                    children = values[-length:]
                    start, depth = starts[-length], max(depths[-length:])
                    del path[-length:], values[-length:], starts[-length:], depths[-length:]
                else:
                    children, start, depth = [], token.start, 0
                if method is not None:
                    end = start if before is None else max(start, before.end)
                    span = Span(self.source, start, end)
                    depth += 1
                    if depth > deepest:
                        self._too_deep(span)
                    value = getattr(self, method)(_gather(children, kept), span)
                else:
                    value = children[kept[0]] if len(kept) == 1 else _gather(children, kept)
                state = states[path[-1]][symbol]
                if state == end_state:
                    return value
                path.append(state)
                values.append(value)
                starts.append(start)
                depths.append(depth)
            if len(path) > tallest:
                self._too_deep(Span(self.source, token.start, token.end))
            path.append(action)
            values.append(token)
            starts.append(token.start)
            depths.append(0)
            before = token
        raise AssertionError("the tokens end with $END, which ends the goal")

    def _too_deep(self, span: Span) -> NoReturn:
        message = f"more than {self.limits.nesting} constructs within one another"
        raise SpecError(exceeded("nesting", self.limits, message, span))

    # ---- files and declarations ----

    def start(self, kids: _Kids, _: Span) -> _Kids:
        return kids

    def use(self, kids: _Kids, span: Span) -> tree.Use:
        return tree.Use(kids[0].text[1:-1], span)

    def block(self, kids: _Kids, span: Span) -> tree.Block:
        name, *parameters, body = kids
        return tree.Block("block", self._name(name), tuple(parameters), body, span)

    def net(self, kids: _Kids, span: Span) -> tree.Block:
        return self.block(kids, span)._replace(keyword="net")

    def parameter(self, kids: _Kids, span: Span) -> tree.Parameter:
        return tree.Parameter(kids[0].text, kids[1] if len(kids) > 1 else None, span)

    def body(self, kids: _Kids, span: Span) -> tree.Body:
        return tree.Body(tuple(kids), span)

    # ---- statements ----

    def let(self, kids: _Kids, span: Span) -> tree.Let:
        return tree.Let(kids[0], kids[1], span)

    def targets(self, kids: _Kids, span: Span) -> tree.Targets:
        items = (self._name(kid) if isinstance(kid, Token) else kid for kid in kids)
        return tree.Targets(tuple(items), span)

    def out(self, kids: _Kids, span: Span) -> tree.Out:
        return tree.Out(tuple(kids), span)

    def result(self, kids: _Kids, span: Span) -> tree.Result:
        return tree.Result(None, kids[0], span)

    def named_result(self, kids: _Kids, span: Span) -> tree.Result:
        return tree.Result(kids[0].text, kids[1], span)

    def share(self, kids: _Kids, span: Span) -> tree.Share:
        return tree.Share(self._name(kids[0]), kids[1], span)

    def assign(self, kids: _Kids, span: Span) -> tree.Assign:
        *names, pipeline = kids
        return tree.Assign(tuple(self._tensor(name) for name in names), pipeline, span)

    def collect(self, kids: _Kids, span: Span) -> tree.Collect:
        return tree.Collect(self._tensor(kids[0]), kids[1], span)

    def flow(self, kids: _Kids, span: Span) -> tree.Flow:
        return tree.Flow(kids[0], span)

    # ---- pipelines and steps ----

    def pipeline(self, kids: _Kids, span: Span) -> tree.Pipeline:
        if isinstance(kids[0], tree.Tensor):
            return tree.Pipeline(kids[0], tuple(kids[1:]), span)
        return tree.Pipeline(None, tuple(kids), span)

    def tensor(self, kids: _Kids, _: Span) -> tree.Tensor:
        return self._tensor(kids[0])

    def labelled(self, kids: _Kids, span: Span) -> tree.Step:
        label, step = kids
        labelled: tree.Step = step._replace(label=self._label(label), span=span)
        return labelled

    def invoke(self, kids: _Kids, span: Span) -> tree.Invoke:
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

    def branches(self, kids: _Kids, _: Span) -> _Branches:
        return _Branches(tuple(kids))

    def branch(self, kids: _Kids, span: Span) -> tree.Body:
        return tree.Body(tuple(kids), span)

    def positional(self, kids: _Kids, span: Span) -> tree.Argument:
        return tree.Argument(None, kids[0], span)

    def keyword(self, kids: _Kids, span: Span) -> tree.Argument:
        return tree.Argument(kids[0].text, kids[1], span)

    def group(self, kids: _Kids, span: Span) -> tree.Group:
        return tree.Group(None, kids[0], span)

    def if_(self, kids: _Kids, span: Span) -> tree.If:
        return tree.If(None, kids[0], kids[1], None, span)

    def if_else(self, kids: _Kids, span: Span) -> tree.If:
        return tree.If(None, kids[0], kids[1], kids[2], span)

    def for_(self, kids: _Kids, span: Span) -> tree.For:
        return tree.For(None, kids[0], kids[1], kids[2], span)

    def repeat(self, kids: _Kids, span: Span) -> tree.Repeat:
        return tree.Repeat(None, kids[0], kids[1], span)

    # ---- expressions ----

    def expression(self, kids: _Kids, _: Span) -> tree.Expression:
        value: tree.Expression = kids[0]
        return value

    def chain(self, kids: _Kids, span: Span) -> tree.Chain:
        operators = (kid.text for kid in kids[1::2])
        return tree.Chain(kids[0], tuple(zip(operators, kids[2::2], strict=True)), span)

    def unary(self, kids: _Kids, span: Span) -> tree.Unary:
        return tree.Unary(kids[0].text, kids[1], span)

    def choice(self, kids: _Kids, span: Span) -> tree.Choice:
        return tree.Choice(kids[0], kids[1], kids[2], span)

    def attribute(self, kids: _Kids, span: Span) -> tree.Attribute:
        return tree.Attribute(kids[0], kids[1].text, span)

    def index(self, kids: _Kids, span: Span) -> tree.Index:
        return tree.Index(kids[0], kids[1], span)

    def call(self, kids: _Kids, span: Span) -> tree.Call:
        return tree.Call(self._name(kids[0]), tuple(kids[1:]), span)

    def list(self, kids: _Kids, span: Span) -> tree.Items:
        return tree.Items(tuple(kids), span)

    def tuple(self, kids: _Kids, span: Span) -> tree.Items:
        return tree.Items(tuple(kids), span)

    def comprehension(self, kids: _Kids, span: Span) -> tree.Comprehension:
        item, targets, iterable, *condition = kids
        return tree.Comprehension(
            item, targets, iterable, condition[0] if condition else None, span
        )

    def name(self, kids: _Kids, _: Span) -> tree.Name:
        return self._name(kids[0])

    def number(self, kids: _Kids, span: Span) -> tree.Literal:
        (token,) = kids
        if token.type == "INT":
            return tree.Literal(self._integer(token.text, span), span)
        value = float(token.text)
        if isinf(value):
            raise SpecError(
                Diagnostic("bad-number", f"`{token.text}` is too large for a number", span)
            )
        return tree.Literal(value, span)

    def sizes(self, kids: _Kids, span: Span) -> tree.Literal:
        return tree.Literal(
            tuple(self._integer(size, span) for size in kids[0].text.split("x")), span
        )

    def string(self, kids: _Kids, span: Span) -> tree.Literal:
        return tree.Literal(kids[0].text[1:-1], span)

    def word(self, kids: _Kids, span: Span) -> tree.Literal:
        return tree.Literal({"true": True, "false": False, "none": None}[kids[0].text], span)

    def dynamic(self, kids: _Kids, span: Span) -> tree.Dynamic:
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
