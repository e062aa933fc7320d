"""Which net of a file is compiled, and what the command line may change. Expands nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import PurePath
from typing import NamedTuple

from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.dim import Dim, unknowns
from netspec.language import tree
from netspec.language.evaluate import Evaluator, own_name
from netspec.language.modules import Contents
from netspec.language.syntax import parse_expression
from netspec.language.values import Callee, Frame, Module, Schedule, plain
from netspec.limits import DEFAULT
from netspec.ops.initial import Init
from netspec.source import Source, Span


class Entry(NamedTuple):
    """Where expansion begins. Without a `net` the file's statements are the net, else constants."""

    source: Source
    name: str
    net: tree.Block | None
    statements: tuple[tree.Statement, ...]
    module: Module
    has_input: bool


def select(file: Contents, wanted: str | None) -> Entry:
    """The net to compile: the one that is wanted, or the only one."""
    nets = file.nets
    chosen = _choose(nets, wanted)
    if chosen is not None:
        for statement in file.statements:
            if not isinstance(statement, tree.Let | tree.Broken):
                raise _failure(
                    "step-outside-net",
                    "a step stands outside of the file's nets",
                    statement.span,
                    help=f"move it into `net {next(iter(nets))} {{ ... }}`",
                )
    body = file.statements if chosen is None else chosen.body.statements
    return Entry(
        source=file.source,
        name=_stem(file.source.name) if chosen is None else chosen.name.name,
        net=chosen,
        statements=file.statements,
        module=file.module,
        has_input=_has_input(body, file.module),
    )


def _choose(nets: Mapping[str, tree.Block], wanted: str | None) -> tree.Block | None:
    if wanted is not None and wanted not in nets:
        known = f"the file has {_listed(nets)}" if nets else "the file has no named net"
        raise _failure(
            "unknown-net",
            f"no net is called `{wanted}`",
            None,
            help=did_you_mean(wanted, nets) or known,
        )
    if wanted is None and len(nets) > 1:
        span = list(nets.values())[1].name.span
        raise _failure(
            "several-nets",
            f"the file has {len(nets)} nets: {_listed(nets)}",
            span,
            help=f"choose one with `--net {next(iter(nets))}`",
        )
    return nets[wanted] if wanted is not None else next(iter(nets.values()), None)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _stem(name: str) -> str:
    """A net's name from its file's: `my-net.net` is `my_net`."""
    stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in PurePath(name).stem).strip(
        "_"
    )
    return stem if stem[:1].isalpha() else "net"


def _has_input(body: Sequence[tree.Statement], module: Module) -> bool:
    """Whether an `input` stands in a net, or in a block of any file that its names lead to."""
    seen: set[tuple[str, Module]] = set()
    rooms: list[tuple[object, Module]] = [(body, module)]
    while rooms:
        root, home = rooms.pop()
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, tree.Invoke) and node.name.name == "input":
                return True
            if isinstance(node, tree.Name) and node.name in home.blocks:
                if (node.name, home) not in seen:
                    seen.add((node.name, home))
                    rooms.append(home.blocks[node.name])
            elif isinstance(node, tuple) and not isinstance(node, Span):
                waiting.extend(node)
    return False


def _failure(
    id: str,  # noqa: A002 (a diagnostic's word)
    message: str,
    span: Span | None,
    help: str | None = None,  # noqa: A002
) -> SpecError:
    return SpecError(Diagnostic(id, message, span, help=help))


# ---- what the command line may change ----


def parse_override(text: str) -> tuple[str, object]:
    """`classes=10` as a name and a plain value; bare names and `?T` become strings. Raises SpecError."""
    source = Source("--set", text)
    name, equals, _ = source.text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise _failure(
            "bad-override",
            f"`{text}` sets nothing",
            Span(source, 0, len(source.text)),
            help="write `--set classes=10`",
        )
    try:
        return name.strip(), _written(parse_expression(source, len(name) + 1))
    except RecursionError:
        message = f"`{name.strip()}` holds lists too many levels deep"
        raise _failure("over-limit", message, None) from None


def _written(node: tree.Expression) -> object:
    """What an expression beside the net stands for. Names are judged by the net, which numbers its own `?`."""
    if isinstance(node, tree.Name):
        return node.name
    if isinstance(node, tree.Dynamic):
        return f"?{node.name}"
    if isinstance(node, tree.Items):
        return tuple([_written(item) for item in node.items])
    value = plain(Evaluator(DEFAULT).value(node, Frame(Module())))
    if any(name.startswith("_") for name in unknowns(value)):
        help_ = "give it one: `?T`"
        raise _failure("bad-override", "a size in a formula needs a name", node.span, help=help_)
    return value


def override_value(name: str, value: object, evaluator: Evaluator, home: Module) -> object:
    """A plain value as expressions know it: lists are tuples, names of ops are ops, `?T` is a size.

    Raises SpecError for what the language has no such value of.
    """
    if isinstance(value, str):
        callee: Callee | None = evaluator.callee(value, home)
        return evaluator.unknowns.read(value) if callee is None else own_name(callee)
    if isinstance(value, tuple):
        return tuple([override_value(name, item, evaluator, home) for item in value])
    finite = not isinstance(value, float) or isfinite(value)
    if value is None or (finite and isinstance(value, bool | int | float | Dim | Init | Schedule)):
        return value
    message = f"`{name}` is set to {value!r:.60}, which is no value of the language"
    help_ = "it takes finite numbers, booleans, strings, `None` and lists of them"
    raise _failure("bad-override", message, None, help=help_)
