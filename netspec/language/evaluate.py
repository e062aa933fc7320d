"""Compile-time expressions -> values, within limits. Knows tensors' shapes, nothing of graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, cast

from netspec.diagnostics import did_you_mean
from netspec.dim import Dim, Unknowns, UnknownSize
from netspec.language import library, tree
from netspec.language.arithmetic import ARITHMETIC, Arithmetic
from netspec.language.functions import FUNCTIONS, BadArgument
from netspec.language.reports import fail
from netspec.language.values import (
    Callee,
    Flowing,
    Frame,
    Module,
    Poison,
    Poisoned,
    Tensors,
    holds_tensor,
    is_list,
    kind,
    show,
)
from netspec.limits import Limits
from netspec.ops import find, names, words
from netspec.source import Span

_AXES = {"c": "channels", "h": "height", "w": "width", "t": "time", "d": "depth"}


def bound_names(targets: tree.Targets) -> list[str]:
    """The names of a loop or a `let`, in order."""
    found: list[str] = []
    for target in targets.items:
        found.extend([target.name] if isinstance(target, tree.Name) else bound_names(target))
    return found


def own_name(callee: Callee) -> Callee:
    """An op as a value is known by its own name, whichever was written: `batch_norm` equals `bn`.

    A name that is also a word stays as it is, for the op that it is given to may mean the word.
    """
    op = find(callee.name) if callee.closure is None else None
    if op is None or op.kind == callee.name or callee.name in words():
        return callee
    return Callee(op.kind)


def callable_names(home: Module) -> list[str]:
    """What a step may be called in a file."""
    return [*home.blocks, *names(), *library.names()]


class Evaluator(Arithmetic):
    """Evaluates expressions in a frame; counts what it does against the limits."""

    def __init__(self, limits: Limits, length: int = 0) -> None:
        super().__init__(limits, length)
        self.unknowns = Unknowns()
        self._by_type: dict[type, Callable[[Any, Frame], object]] = {
            tree.Literal: self._literal,
            tree.Name: self._name,
            tree.Tensor: self.tensor,
            tree.Dynamic: self._dynamic,
            tree.Items: self._items,
            tree.Comprehension: self._comprehension,
            tree.Call: self._call,
            tree.Attribute: self._attribute,
            tree.Index: self._index,
            tree.Unary: self._unary,
            tree.Chain: self._chain,
            tree.Choice: self._choice,
        }

    def value(self, node: tree.Expression, frame: Frame) -> Any:
        """What an expression stands for. Raises SpecError, or Poisoned after an earlier failure."""
        self.charge(1, node.span)
        try:
            found = self._by_type[type(node)](node, frame)
        except UnknownSize as unknown:
            self.need_known(unknown, node.span)
        if isinstance(found, Poison):
            raise Poisoned
        return found

    def truth(self, node: tree.Expression, frame: Frame) -> bool:
        """Whether a condition holds."""
        value = self.value(node, frame)
        try:
            return bool(value)
        except UnknownSize as unknown:
            self.need_known(unknown, node.span)

    def need_known(self, unknown: UnknownSize, span: Span) -> NoReturn:
        """Report that a size is known only at run time where a number is needed."""
        fail(
            "unknown-size",
            f"this must be known when the net is compiled: {unknown}",
            span,
            help="such sizes can be added, multiplied and floor-divided, and given to ops that take them",
        )

    # ---- names ----

    def lookup(self, name: str, frame: Frame) -> tuple[bool, object]:
        """Whether a variable has that name, and what it holds."""
        for scope in (frame.names, frame.home.constants):
            if name in scope:
                return True, scope[name]
        return False, None

    def callee(self, name: str, home: Module) -> Callee | None:
        """What a name calls in a file: a block that it sees, or an op, or a standard block."""
        closure = home.blocks.get(name)
        if closure is None and find(name) is None:
            closure = library.find(name)
            return None if closure is None else Callee(name, closure)
        return Callee(name, closure)

    def is_known(self, name: str, frame: Frame) -> bool:
        """Whether a bare name stands for something, or else is a word for an op to judge."""
        return self.lookup(name, frame)[0] or self.callee(name, frame.home) is not None

    def suggestion(self, name: str, frame: Frame) -> str | None:
        """What a misspelt bare name may have meant."""
        if name in frame.tensors:
            return f"`@{name}` is the tensor; names of tensors carry `@`"
        if name in _AXES:
            return f"`@.{name}` is the current tensor's {_AXES[name]}"
        return did_you_mean(name, [*frame.names, *frame.home.constants]) or did_you_mean(
            name, ["true", "false", "none", *callable_names(frame.home), *words()]
        )

    def _name(self, node: tree.Name, frame: Frame) -> object:
        found, value = self.lookup(node.name, frame)
        if found:
            return value
        callee = self.callee(node.name, frame.home)
        if callee is not None:
            return own_name(callee)
        if node.name not in words():
            fail(
                "unknown-name",
                f"unknown name `{node.name}`",
                node.span,
                help=self.suggestion(node.name, frame),
            )
        return node.name

    def start(self, node: tree.Tensor | tree.Index, frame: Frame) -> Tensors:
        """What a pipeline starts from: `@name`, or `@list[0]`."""
        value = self.value(node, frame)
        if not holds_tensor(value):
            fail("wrong-type", f"a pipeline starts from a tensor, not {kind(value)}", node.span)
        return cast(Tensors, value)

    def tensor(self, node: tree.Tensor, frame: Frame) -> Tensors:
        """The tensor, or list of tensors, behind `@` or `@name`."""
        if node.name:
            if node.name not in frame.tensors:
                meant = did_you_mean(node.name, frame.tensors)
                meant = meant and meant.replace("`", "`@", 1)
                fail(
                    "unknown-tensor",
                    f"no tensor is named `@{node.name}` here",
                    node.span,
                    help=meant,
                )
            return frame.tensors[node.name]
        if frame.current is None:
            fail(
                "no-input",
                "there is no tensor yet",
                node.span,
                help="begin with `input 1 28 28`, or compile with `--input 1x28x28`",
            )
        return frame.current

    def _dynamic(self, node: tree.Dynamic, _: Frame) -> Dim:
        size = self.unknowns.size(f"?{node.name}")
        if size is None:
            fail(
                "bad-name",
                f"`?{node.name}` cannot name a size",
                node.span,
                help="a name is letters, digits and `_`, and begins with a letter: `?T`",
            )
        return size

    # ---- values ----

    def _literal(self, node: tree.Literal, _: Frame) -> object:
        return node.value

    def _items(self, node: tree.Items, frame: Frame) -> object:
        return tuple([self.value(item, frame) for item in node.items])

    def _comprehension(self, node: tree.Comprehension, frame: Frame) -> object:
        self.charge(1 + len(frame.names) // 8, node.span)
        inner = Frame(frame.home, frame.current)
        inner.names, inner.tensors = dict(frame.names), dict(frame.tensors)
        result = []
        for item in self.items(node.iterable, frame):
            self.bind(node.targets, item, inner)
            if node.condition is None or self.truth(node.condition, inner):
                result.append(self.value(node.item, inner))
        return self.sized(result, node.span)

    def items(self, node: tree.Expression, frame: Frame) -> tuple[object, ...]:
        """The elements of a list."""
        value = self.value(node, frame)
        if not is_list(value):
            help_ = None
            if type(value) is int:
                help_ = f"`range({node.span.text})` is a list of so many numbers"
            message = f"a loop runs over a list, not {kind(value)}"
            fail("wrong-type", message, node.span, help=help_)
        return tuple(value)

    def bind(self, targets: tree.Targets, value: object, frame: Frame) -> None:
        """Give a value's parts to names: `i, (c, n)`."""
        if len(targets.items) == 1 and isinstance(targets.items[0], tree.Name):
            self._give(targets.items[0], value, frame)
            return
        wanted = len(targets.items)
        if not is_list(value):
            fail(
                "wrong-count",
                f"{wanted} names, but {kind(value)} to share among them",
                targets.span,
            )
        assert isinstance(value, tuple)
        if len(value) != wanted:
            message = f"{wanted} names, but {len(value)} values: {show(value)}"
            fail("wrong-count", message, targets.span)
        for target, part in zip(targets.items, value, strict=True):
            if isinstance(target, tree.Name):
                self._give(target, part, frame)
            else:
                self.bind(target, part, frame)

    def _give(self, target: tree.Name, value: object, frame: Frame) -> None:
        """Bind a name, for which a list is searched for tensors."""
        self.charge_list(value, target.span, once=True)
        frame.give(target.name, value)

    def _call(self, node: tree.Call, frame: Frame) -> object:
        name = node.function.name
        function = FUNCTIONS.get(name)
        if function is None:
            help_ = did_you_mean(name, FUNCTIONS)
            if self.callee(name, frame.home) is not None:
                help_ = f"`{name}` is a step of its own: `{name} 32 3`"
            fail("unknown-function", f"unknown function `{name}`", node.function.span, help=help_)
        arguments = [self.value(argument, frame) for argument in node.arguments]
        self.charge(sum(len(each) for each in arguments if is_list(each)) // 4, node.span)
        given = ", ".join(map(show, arguments))
        try:
            if not function.fewest <= len(arguments) <= function.most:
                raise BadArgument
            result = function.apply(*arguments)
        except (BadArgument, OverflowError):
            for argument in arguments:
                if isinstance(argument, Dim):
                    raise UnknownSize(str(argument)) from None
            message = f"`{name}` takes {function.wants}, got ({given})"
            fail("bad-function-argument", message, node.span)
        if isinstance(result, range | tuple):
            return self.sized(result, node.span)
        return self.checked(result, node.span)

    def _attribute(self, node: tree.Attribute, frame: Frame) -> object:
        value = self.value(node.value, frame)
        if not isinstance(value, Flowing):
            fail(
                "wrong-type",
                f"`.{node.name}` is a fact about a tensor, not about {kind(value)}",
                node.span,
            )
        shape = value.value.shape
        if node.name == "shape":
            return shape.sizes
        try:
            return shape.axis(node.name)
        except KeyError:
            known = ", ".join(f"`.{axis}`" for axis in shape.axes)
            what = (
                f"no {_AXES[node.name]}" if node.name in _AXES else f"nothing called `{node.name}`"
            )
            fail(
                "unknown-axis",
                f"a tensor of {shape} has {what}",
                node.span,
                help=f"it has {known} and `.shape`",
            )

    def _index(self, node: tree.Index, frame: Frame) -> object:
        value, index = self.value(node.value, frame), self.value(node.key, frame)
        if not is_list(value):
            fail(
                "wrong-type", f"`[...]` takes an element of a list, not of {kind(value)}", node.span
            )
        if isinstance(index, Dim):
            raise UnknownSize(str(index))
        if isinstance(index, bool) or not isinstance(index, int):
            fail("wrong-type", f"an index is a whole number, not {kind(index)}", node.key.span)
        if not -len(value) <= index < len(value):
            message = f"no element {index} in a list of {len(value)}"
            fail("index-out-of-range", message, node.key.span)
        return value[index]

    def _unary(self, node: tree.Unary, frame: Frame) -> object:
        if node.operator == "not":
            return not self.truth(node.operand, frame)
        value = self.value(node.operand, frame)
        self.need_numbers("-", (value,), node.span)
        return -value

    def _choice(self, node: tree.Choice, frame: Frame) -> object:
        chosen = node.then if self.truth(node.condition, frame) else node.otherwise
        return self.value(chosen, frame)

    def _chain(self, node: tree.Chain, frame: Frame) -> object:
        first = self.value(node.first, frame)
        sign = node.rest[0][0]
        if sign in ("and", "or"):
            for _, operand in node.rest:
                if bool(first) is (sign == "or"):
                    return first
                first = self.value(operand, frame)
            return first
        for sign, operand in node.rest:
            second = self.value(operand, frame)
            if sign in ARITHMETIC:
                first = self.arithmetic(sign, first, second, node.span)
            elif not self.compare(sign, first, second, node.span):
                return False
            else:
                first = second
        return first if sign in ARITHMETIC else True
