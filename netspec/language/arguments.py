"""A step's arguments: evaluated, bound, and blamed when they are wrong. Builds no graph."""

from __future__ import annotations

from typing import NamedTuple

from netspec.diagnostics import Diagnostic, Note, SpecError, did_you_mean
from netspec.language import tree
from netspec.language.evaluate import Evaluator
from netspec.language.reports import fail
from netspec.language.values import Closure, Frame, Schedule, holds_tensor, plain, show
from netspec.ops import Op, Rejected, words, words_of
from netspec.ops.binding import bind
from netspec.ops.initial import Init
from netspec.source import Span


class Given(NamedTuple):
    """An argument and its value."""

    argument: tree.Argument
    value: object


class OpArguments:
    """The arguments of one op. Bare names that stand for nothing are words: the op judges them."""

    def __init__(self, step: tree.Invoke, op: type[Op], evaluator: Evaluator, frame: Frame) -> None:
        self.step = step
        self.op = op
        self.evaluator = evaluator
        self.frame = frame
        self.schedule: Schedule | None = None
        self.given = [Given(a, self._value(a.value)) for a in step.arguments]

    def _value(self, node: tree.Expression) -> object:
        if isinstance(node, tree.Name) and not self.evaluator.is_known(node.name, self.frame):
            return node.name
        value = self.evaluator.value(node, self.frame)
        self.evaluator.charge_list(value, node.span)
        if holds_tensor(value):
            name = self.step.name.name
            message = f"`{name}` does not take a tensor as an argument"
            help_ = "tensors enter through the arrow or through branches"
            if self.op.merges and self.step.branches is None:
                help_ = f"tensors enter through branches: `{name} {{ @ | {node.span.text} }}`"
            fail("unexpected-tensor", message, node.span, help=help_)
        if isinstance(value, Schedule):
            return self._scheduled(value, node.span)
        return plain(value)

    def _scheduled(self, schedule: Schedule, span: Span) -> float:
        """What stands in for the op's own number, which is known when the whole net is."""
        if self.op.scheduled is None:
            message = f"`{schedule}` is a schedule over a net, which `{self.step.name.name}` does not take"
            fail("wrong-type", message, span, help="`drop_path linear(0.2)` takes one")
        self.schedule = schedule
        return schedule.start

    def bind(self) -> Op:
        """The op, whose fields are checked but whose inputs are not."""
        positional = [given.value for given in self.given if given.argument.name is None]
        keywords: dict[str, object] = {}
        for argument, value in self.given:
            if argument.name in keywords:
                fail("repeated-argument", f"`{argument.name}` is given twice", argument.span)
            if argument.name is not None:
                keywords[argument.name] = value
        try:
            return bind(self.op, positional, keywords)
        except Rejected as error:
            raise SpecError(self.blame(error)) from None

    def blame(self, error: Rejected, notes: tuple[Note, ...] = ()) -> Diagnostic:
        """What an op refuses, at the argument that is wrong where the op names one."""
        if error.id == "too-many-arguments":
            places = self._positional()[len(self.op.model_fields) :]
        else:
            places = self._places(error.param)
        help_ = error.help
        for argument in places:
            word = argument.value
            if isinstance(word, tree.Name):
                known, _ = self.evaluator.lookup(word.name, self.frame)
                if not known and self.evaluator.callee(word.name, self.frame.home) is not None:
                    help_ = f"is a `->` missing before `{word.name}`?"
                    break
                if known and error.id == "bad-argument" and self._takes_word(argument):
                    value = show(self.evaluator.value(word, self.frame))
                    help_ = f'`{word.name}` is a variable here, {value}; write `"{word.name}"` for the word'
                    break
                known_names = [*self.frame.names, *self.frame.home.constants]
                meant = did_you_mean(word.name, [*known_names, "true", "false", "none"])
                misspelt_word = did_you_mean(word.name, words_of(self.op))
                unknown = not known and word.name not in words()
                if unknown and error.id == "bad-argument" and (meant or not misspelt_word):
                    message = f"unknown name `{word.name}`"
                    return Diagnostic("unknown-name", message, word.span, help=meant)
                if unknown and error.id == "bad-argument":
                    help_ = misspelt_word
        if error.id in ("missing-argument", "bad-argument"):
            help_ = _without_brackets(self.step) or help_
        span = self.step.name.span
        if places:
            span = Span(span.source, places[0].span.start, places[-1].span.end)
            if error.id == "unknown-argument":
                span = Span(span.source, span.start, span.start + len(error.param or ""))
        return Diagnostic(error.id, error.message, span, error.label, help_, notes)

    def _takes_word(self, argument: tree.Argument) -> bool:
        """Whether the op would take the name of a variable where it does not take its value."""
        values = [
            (each.name, argument.value.span.text if each is argument else value)
            for each, value in self.given
        ]
        try:
            bind(
                self.op,
                [value for name, value in values if name is None],
                {name: value for name, value in values if name is not None},
            )
        except Rejected:
            return False
        return True

    def _positional(self) -> list[tree.Argument]:
        return [argument for argument in self.step.arguments if argument.name is None]

    def _places(self, parameter: str | None) -> list[tree.Argument]:
        """The arguments that gave a parameter its value."""
        named = [argument for argument in self.step.arguments if argument.name == parameter]
        if parameter is None or named:
            return named if parameter is not None else []
        if parameter == self.op.variadic:
            return self._positional()
        fields = list(self.op.model_fields)
        if parameter not in fields:
            return []
        index = fields.index(parameter)
        return self._positional()[index : index + 1]


def bind_block(step: tree.Invoke, closure: Closure, evaluator: Evaluator, caller: Frame) -> Frame:
    """A new frame in which a block's parameters have their values."""
    block = closure.block
    frame = Frame(closure.home, caller.current, block.body.statements)
    names = [parameter.name for parameter in block.parameters]
    call = step.name.name
    for position, argument in enumerate(step.arguments):
        if argument.name is not None and argument.name not in names:
            start = argument.span.start
            span = Span(argument.span.source, start, start + len(argument.name))
            known = (
                f"it takes {', '.join(f'`{name}`' for name in names)}" if names else "it takes none"
            )
            message = f"`{call}` has no parameter `{argument.name}`"
            fail(
                "unknown-argument", message, span, help=did_you_mean(argument.name, names) or known
            )
        if argument.name is None and position >= len(names):
            fail(
                "too-many-arguments",
                f"`{call}` takes {len(names) or 'no'} argument{'s'[: len(names) != 1]}, got {len(step.arguments)}",
                argument.span,
                help=_missing_arrow(argument, evaluator, caller),
            )
        name = names[position] if argument.name is None else argument.name
        if name in frame.names:
            fail("repeated-argument", f"`{name}` is given twice", argument.span)
        value = evaluator.value(argument.value, caller)
        evaluator.charge_list(value, argument.span)
        frame.give(name, value)
    for parameter in block.parameters:
        if parameter.name in frame.names:
            continue
        if parameter.default is None:
            message = f"`{call}` needs `{parameter.name}`"
            raise SpecError(
                Diagnostic(
                    "missing-argument",
                    message,
                    step.name.span,
                    help=_without_brackets(step),
                    notes=(Note("the parameter has no default", parameter.span),),
                )
            )
        value = evaluator.value(parameter.default, frame)
        evaluator.charge_list(value, parameter.span)
        frame.give(parameter.name, value)
    frame.given = {name: frame.names[name] for name in names}
    return frame


def _without_brackets(step: tree.Invoke) -> str | None:
    """How a step is written that got all of its arguments as one list, as in `conv (32, 3)`."""
    if len(step.arguments) != 1 or not isinstance(step.arguments[0].value, tree.Items):
        return None
    items = step.arguments[0].value.items
    if len(items) < 2 or step.arguments[0].name is not None:
        return None
    words = " ".join(item.span.text for item in items)
    return f"arguments are separated by blanks: `{step.name.name} {words}`"


def _missing_arrow(argument: tree.Argument, evaluator: Evaluator, caller: Frame) -> str | None:
    word = argument.value
    if isinstance(word, tree.Name) and evaluator.callee(word.name, caller.home) is not None:
        return f"is a `->` missing before `{word.name}`?"
    return None


def plain_arguments(frame: Frame) -> dict[str, object]:
    """What a call gave to a block, as the IR keeps it: without its tensors."""
    return {
        name: _recorded(plain(value))
        for name, value in frame.given.items()
        if not holds_tensor(value)
    }


def _recorded(value: object) -> object:
    """A plain value as the JSON of a graph gives it back: initializers and schedules as their calls."""
    if isinstance(value, tuple):
        return tuple(map(_recorded, value))
    return str(value) if isinstance(value, Init | Schedule) else value
