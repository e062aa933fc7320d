"""A network in Python, without text: a small builder whose words are those of the language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from netspec.builder import GraphBuilder, Instance, Value
from netspec.diagnostics import Diagnostic, SpecError
from netspec.dim import Dim, Unknowns
from netspec.interop import plain
from netspec.ir import Graph
from netspec.ops import Parting, Rejected, find, unknown_op
from netspec.ops.binding import bind
from netspec.shape import Shape


class Tensor:
    """A value in a network under construction. Every op of the language is a method of it.

    `x.conv(32, 3, label="stem")` is `stem: conv 32 3`; `x.add(y)` is `add { @x | @y }`; and
    `a, b = x.split(2)` is `@a, @b = @x -> split 2`.
    """

    def __init__(self, net: Net, value: Value) -> None:
        self._net = net
        self._value = value

    @property
    def shape(self) -> Shape:
        """The shape of one example; `x.shape.axis("c")` is the language's `@x.c`."""
        return self._value.shape

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = find(name)
        if op is None:
            raise AttributeError(f"there is no op `{name}`{_or_another(name)}")

        def apply(*arguments: object, label: str | None = None, **keywords: object) -> Any:
            tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
            others = [argument for argument in arguments if not isinstance(argument, Tensor)]
            named = None if label is None else str(label)
            return self._net._add(name, [self, *tensors], others, keywords, named)

        return apply

    def tied(self, layer: Layers, *, label: str | None = None) -> Tensor:
        """The transposed map of the weight of a shared layer: the language's `tied`."""
        if not isinstance(layer, Layers):
            raise _failure(Rejected("not-shared", f"`tied` takes shared layers, not {layer!r:.60}"))
        if layer._net is not self._net:
            raise _failure(Rejected("foreign-tensor", f"{layer!r} belongs to another network"))
        try:
            builder = self._net._builder
            return Tensor(self._net, builder.tie(self._value, layer._instance, label=label))
        except Rejected as rejected:
            raise _failure(rejected) from None

    def __repr__(self) -> str:
        return f"<{self._value.name}: {self._value.shape}>"


class Layers:
    """Shared layers of a network, made by `Net.share`. Each call uses the same weights."""

    def __init__(
        self, net: Net, instance: Instance, apply: Callable[[Tensor, str], Tensor]
    ) -> None:
        self._net = net
        self._instance = instance
        self._apply = apply

    def __call__(self, x: Tensor) -> Tensor:
        """One more use. Raises `SpecError` where it cannot have the layers and weights of the first."""
        try:
            self._net._check_own(x)
            with self._net._builder.use(self._instance) as label:
                return self._apply(x, label)
        except Rejected as rejected:
            raise _failure(rejected) from None

    def __repr__(self) -> str:
        return f"<shared {self._instance.label}>"


class Net:
    """Collects a network, step by step.

        net = Net("mnist")
        x = net.input(1, 28, 28)
        x = x.conv(32, 3).bn().relu().pool(2).dense(10)
        graph = net.graph(x)

    The graph equals that of the same network written in the language. Every mistake raises `SpecError`.
    """

    def __init__(self, name: str) -> None:
        self._builder = GraphBuilder(name)
        self._unknowns = Unknowns()

    def input(self, *sizes: int | str, dtype: str = "float", label: str | None = None) -> Tensor:
        """A tensor that the caller gives, channels first, without its batch axis.

        A size that is known only at run time is `"?"`, or `"?T"` where several are equal.
        """
        read = [self._unknowns.read(size) for size in sizes]
        tensor: Tensor = self._add("input", [], read, {"dtype": dtype}, label)
        return tensor

    @contextmanager
    def block(
        self, name: str, /, *, label: str | None = None, **arguments: object
    ) -> Iterator[None]:
        """What is added inside belongs to one call of the block `name` with these arguments.

        The graph keeps those that are numbers, strings, `None` or lists of them, from which emitted code may get
        its parameters.
        """
        given = {word: plain(value) for word, value in arguments.items()}
        with self._scope(label, name, {w: value for w, value in given.items() if _is_plain(value)}):
            yield

    @contextmanager
    def group(self, label: str) -> Iterator[None]:
        """What is added inside is named below `label`, as in a labelled group or loop."""
        with self._scope(label, None, {}):
            yield

    def share(
        self,
        label: str,
        layers: str | Callable[[Tensor], Tensor],
        *arguments: object,
        **keywords: object,
    ) -> Layers:
        """Layers that have the same weights wherever they are called: the language's `share`.

        `layers` is an op with its arguments, or a function of a tensor:

            code = net.share("code", "dense", 16)
            tower = net.share("tower", lambda x: x.conv(32, 3).bn().relu().gap())
            left, right = tower(left), tower(right)
        """
        try:
            instance = self._builder.share(label)
        except Rejected as rejected:
            raise _failure(rejected) from None

        def apply(x: Tensor, name: str) -> Tensor:
            if isinstance(layers, str):
                result: Tensor = self._add(layers, [x], list(arguments), keywords, name)
                return result
            with self.group(name):
                return layers(x)

        return Layers(self, instance, apply)

    def graph(self, *unnamed: Tensor, **named: Tensor) -> Graph:
        """The finished graph with these results, as the language's `out` gives them."""
        given: list[tuple[str | None, Tensor]] = [(None, tensor) for tensor in unnamed]
        given += named.items()
        if not given:
            raise SpecError(Diagnostic("no-output", "a network needs at least one result"))
        try:
            for name, tensor in given:
                self._check_own(tensor)
                _check_word(name or "output", "a result")
            return self._builder.finish([(name, tensor._value) for name, tensor in given])
        except Rejected as rejected:
            raise _failure(rejected) from None

    def _add(
        self,
        name: str,
        inputs: list[Tensor],
        positional: list[object],
        keywords: dict[str, object],
        label: str | None,
    ) -> Any:
        """The tensor that an op gives, or the list of those that a parting gives."""
        op = find(name)
        try:
            if op is None:
                raise unknown_op(name)
            for tensor in inputs:
                self._check_own(tensor)
            values = [tensor._value for tensor in inputs]
            named = {word: plain(value) for word, value in keywords.items()}
            bound = bind(op, [plain(value) for value in positional], named)
            if isinstance(bound, Parting):
                return [Tensor(self, v) for v in self._builder.part(bound, values, label=label)]
            return Tensor(self, self._builder.add(bound, values, label=label))
        except Rejected as rejected:
            raise _failure(rejected) from None

    @contextmanager
    def _scope(
        self, label: str | None, block: str | None, arguments: dict[str, object]
    ) -> Iterator[None]:
        scope = self._builder.scope(label, block=block, arguments=arguments)
        try:
            for word in (*([] if block is None else [block]), *arguments):
                _check_word(word, "a block or its parameter")
            scope.__enter__()
        except Rejected as rejected:
            raise _failure(rejected) from None
        try:
            yield
        finally:
            scope.__exit__(None, None, None)

    def _check_own(self, tensor: Tensor) -> None:
        if tensor._net is not self:
            raise Rejected("foreign-tensor", f"{tensor!r} belongs to another network")


def _check_word(word: str, what: str) -> None:
    """Raise `Rejected` for what no spec could write in its place."""
    if not (word.isascii() and word.isidentifier()):
        help_ = "a name is letters, digits and `_`, and does not begin with a digit"
        raise Rejected("bad-name", f"`{word}` cannot name {what}", help=help_)


def _or_another(name: str) -> str:
    """What the name of an op may have meant. What begins with `_` is Python's own question."""
    help_ = None if name.startswith("_") else unknown_op(name).help
    return f": {help_}" if help_ else ""


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | Dim)


def _failure(rejected: Rejected) -> SpecError:
    return SpecError(Diagnostic(rejected.id, rejected.message, help=rejected.help))
