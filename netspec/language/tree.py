"""The syntax tree: what was written, with its places. Knows nothing of what names mean."""

# Annotations are not postponed: `NamedTuple` would compile each of them from its text.
from typing import NamedTuple, TypeAlias

from netspec.diagnostics import Diagnostic
from netspec.source import Source, Span

# ---- expressions ----


class Literal(NamedTuple):
    """A number, a string, `true`, `false`, `none`, or sizes such as `1x7` (a tuple)."""

    value: int | float | str | bool | tuple[int, ...] | None
    span: Span


class Name(NamedTuple):
    """A bare name: a variable, a parameter, an op, a block, or one of an op's words."""

    name: str
    span: Span


class Tensor(NamedTuple):
    """`@name`, or `@` for the current tensor (the empty name)."""

    name: str
    span: Span


class Dynamic(NamedTuple):
    """A size known only at run time: `?` or `?T`."""

    name: str
    span: Span


class Items(NamedTuple):
    """`[a, b]` or `(a, b)`."""

    items: tuple["Expression", ...]
    span: Span


class Comprehension(NamedTuple):
    """`[item for targets in iterable if condition]`."""

    item: "Expression"
    targets: "Targets"
    iterable: "Expression"
    condition: "Expression | None"
    span: Span


class Call(NamedTuple):
    """`function(arguments)`."""

    function: Name
    arguments: tuple["Expression", ...]
    span: Span


class Attribute(NamedTuple):
    """`value.name`."""

    value: "Expression"
    name: str
    span: Span


class Index(NamedTuple):
    """`value[key]`."""

    value: "Expression"
    key: "Expression"
    span: Span


class Unary(NamedTuple):
    """`-x` or `not x`."""

    operator: str
    operand: "Expression"
    span: Span


class Chain(NamedTuple):
    """Operands joined by operators of one precedence, flat: `a + b - c`, `a < b < c`, `a not in b`."""

    first: "Expression"
    rest: tuple[tuple[str, "Expression"], ...]
    span: Span


class Choice(NamedTuple):
    """`then if condition else otherwise`."""

    then: "Expression"
    condition: "Expression"
    otherwise: "Expression"
    span: Span


Expression: TypeAlias = (
    Literal
    | Name
    | Tensor
    | Dynamic
    | Items
    | Comprehension
    | Call
    | Attribute
    | Index
    | Unary
    | Chain
    | Choice
)


class Targets(NamedTuple):
    """The names that a loop or a `let` binds: `i, (c, n)`."""

    items: tuple["Name | Targets", ...]
    span: Span


# ---- steps ----


class Label(NamedTuple):
    """The name of a step: text and the expressions between its braces, in order."""

    parts: tuple[str | Expression, ...]
    span: Span


class Argument(NamedTuple):
    """A positional argument (no name) or `name=value`."""

    name: str | None
    value: Expression
    span: Span


class Body(NamedTuple):
    """Statements between braces, or one branch."""

    statements: tuple["Statement", ...]
    span: Span


class Invoke(NamedTuple):
    """An op or a block with its arguments, and its branches where it has any."""

    label: Label | None
    name: Name
    arguments: tuple[Argument, ...]
    branches: tuple[Body, ...] | None
    span: Span


class Group(NamedTuple):
    """`{ ... }` as a step."""

    label: Label | None
    body: Body
    span: Span


class If(NamedTuple):
    """`if condition { ... } else { ... }`."""

    label: Label | None
    condition: Expression
    body: Body
    otherwise: "Body | If | None"
    span: Span


class For(NamedTuple):
    """`for targets in iterable { ... }`."""

    label: Label | None
    targets: Targets
    iterable: Expression
    body: Body
    span: Span


class Repeat(NamedTuple):
    """`repeat rounds { ... }`."""

    label: Label | None
    rounds: Expression
    body: Body
    span: Span


Step: TypeAlias = Invoke | Group | If | For | Repeat


class Pipeline(NamedTuple):
    """Steps joined by arrows, from a named tensor or from the current one."""

    start: Tensor | Index | None
    steps: tuple[Step, ...]
    span: Span


# ---- statements and declarations ----


class Flow(NamedTuple):
    """A pipeline whose end becomes the current tensor."""

    pipeline: Pipeline
    span: Span


class Let(NamedTuple):
    """`let targets = value`."""

    targets: Targets
    value: Expression
    span: Span


class Assign(NamedTuple):
    """`@a, @b = pipeline`: names results and leaves the current tensor where it was."""

    names: tuple[Tensor, ...]
    pipeline: Pipeline
    span: Span


class Collect(NamedTuple):
    """`@list += pipeline`."""

    name: Tensor
    pipeline: Pipeline
    span: Span


class Result(NamedTuple):
    """One of the net's outputs: `name=pipeline`, or a pipeline alone."""

    name: str | None
    pipeline: Pipeline
    span: Span


class Out(NamedTuple):
    """`out a=@, b=@x`."""

    results: tuple[Result, ...]
    span: Span


class Share(NamedTuple):
    """`share name = pipeline`: one instance, whatever the number of uses."""

    name: Name
    pipeline: Pipeline
    span: Span


class Parameter(NamedTuple):
    """A block's parameter; without a default it has to be given."""

    name: str
    default: Expression | None
    span: Span


class Block(NamedTuple):
    """`block name(parameters) { ... }`, or a `net`."""

    keyword: str
    name: Name
    parameters: tuple[Parameter, ...]
    body: Body
    span: Span


class Variant(NamedTuple):
    """`net name = base parameter=value`: another net with other defaults."""

    name: Name
    base: Name
    arguments: tuple[Argument, ...]
    span: Span


class Use(NamedTuple):
    """`use "file.net"`."""

    path: str
    span: Span


class Broken(NamedTuple):
    """A statement that could not be read, and the names that it may bind: what they hold is not known."""

    names: frozenset[str]
    span: Span


Statement: TypeAlias = Flow | Let | Assign | Collect | Out | Share | Broken


class File(NamedTuple):
    """A whole text, in its order; `words` counts its tokens, `mistakes` are those of its broken statements."""

    source: Source
    items: tuple[Statement | Block | Variant | Use, ...]
    words: int = 0
    mistakes: tuple[Diagnostic, ...] = ()
