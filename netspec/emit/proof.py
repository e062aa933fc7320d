"""Proves of emitted source that it is what was meant: parses it again, independently of what wrote it.

Whatever a spec or a saved graph is called, its names reach a file as identifiers and as string literals only. This is
the check that they stayed such. It knows Python's syntax trees, and the strings in expressions; no layout.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from netspec.emit.names import snake
from netspec.emit.source import Call, Code, Infix, Items, Option, Pair, Run, Subscript
from netspec.ir import Graph

_SYNTAX = (
    *(ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.ClassDef, ast.FunctionDef),
    *(ast.arguments, ast.arg, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr),
    *(ast.For, ast.If, ast.IfExp, ast.Compare, ast.BoolOp, ast.With, ast.withitem, ast.Pass),
    *(ast.Call, ast.keyword, ast.Attribute, ast.Name, ast.Constant, ast.Starred, ast.Slice),
    *(ast.Subscript, ast.Tuple, ast.List, ast.Dict, ast.ListComp, ast.GeneratorExp),
    *(ast.comprehension, ast.BinOp, ast.UnaryOp, ast.JoinedStr, ast.FormattedValue),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context),
)
"""What emitted code is made of: neither what runs text, nor what catches, deletes or hides."""

_BUILTINS = {"bool", "enumerate", "float", "int", "len", "list", "max", "min", "range", "reversed"}
_BUILTINS |= {"str", "sum", "super", "tuple", "type", "zip"}
_METHODS = {"__init__"}
_BY_NAME = {"getattr", "setattr"}  # of a module, whose children may be called by numbers
_DTYPES = ("int32", "int64")


class UnfaithfulSource(AssertionError):
    """Emitted source is not what was meant: a bug of netspec, never the user's mistake."""


def prove(
    source: str,
    expressions: Iterable[object],
    names: Collection[str],
    imports: Collection[str],
    shipped: Collection[str],
) -> None:
    """Raise `UnfaithfulSource` unless the source says no more than these expressions do.

    Definitions that are `shipped`, by name, are the same in every file, and not looked into.

    1. It is Python, of the few kinds of syntax that networks are written in, and every statement does something.
    2. It imports only these modules, and only at the top.
    3. Every name in it is bound in it, or is one of a few builtins.
    4. Every string literal is one of the strings in the expressions, or one of these names; a docstring stands first.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise UnfaithfulSource(f"emitted source is not Python: {error}") from None
    bound, read = {*_BUILTINS, *_BY_NAME, *shipped}, set[str]()
    tree.body = [node for node in tree.body if getattr(node, "name", None) not in shipped]
    meant = {*names, *strings_of(expressions)}
    docstrings = set(map(id, _docstrings(tree)))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if not isinstance(node, _SYNTAX):
            _fail(node, f"a {type(node).__name__} stands in it")
        match node:
            case ast.Import() | ast.ImportFrom():
                _check_import(node, imports, id(node) in top)
                bound.update(alias.asname or alias.name for alias in node.names)
            case ast.Expr(value=value) if (
                not isinstance(value, ast.Call) and id(value) not in docstrings
            ):
                _fail(node, "a statement does nothing")
            case ast.ClassDef() | ast.FunctionDef():
                bound.add(node.name)
            case ast.arg():
                bound.add(node.arg)
            case ast.Name(ctx=ast.Load()):
                read.add(node.id)
            case ast.Name():
                bound.add(node.id)
            case ast.Call(func=ast.Name(id=name), args=args) if name in _BY_NAME:
                if len(args) < 2 or not (_is_module(args[0]) and isinstance(args[1], ast.Constant)):
                    _fail(node, f"`{name}` takes more than a module and a name")
            case ast.Call(func=ast.Name(id="type")):
                _fail(node, "`type` is called")
            case ast.Attribute() if node.attr.startswith("__") and node.attr not in _METHODS:
                _fail(node, f"`{node.attr}` is read")
            case ast.Constant(value=str()) if (
                id(node) not in docstrings and node.value not in meant
            ):
                _fail(node, f"nobody meant the string {node.value!r}")
    if foreign := sorted(read - bound):
        raise UnfaithfulSource(f"emitted source reads `{foreign[0]}`, which it does not make")


def strings_of(expressions: Iterable[object]) -> Iterator[str]:
    """The strings in expressions; source text that stands as it is holds none."""
    waiting: list[Any] = list(expressions)
    while waiting:
        match waiting.pop():
            case Code():
                pass
            case str(text):
                yield text
            case Call() as call:
                own = [] if isinstance(call.func, str) else [call.func]
                values = (call.positional.values(), call.keywords.values(), own, [call.on])
                waiting.extend(value for group in values for value in group)
            case Infix(operands=parts) | Items(elements=parts):
                waiting.extend(parts)
            case Subscript(value=value):
                waiting.append(value)
            case Pair(name=name, value=value):
                waiting += [name if isinstance(name, str) else name.prefix, value]
            case Run(element=element):
                waiting.append(element)
            case Option(element=element, otherwise=otherwise):
                waiting += [element, otherwise]
            case tuple() as parts:
                waiting.extend(parts)


def names_of(graph: Graph, layers: Iterable[str] = ()) -> set[str]:
    """What a file may call the layers and results of a graph, and these layers besides."""
    found = {snake(graph.name), *_DTYPES}
    for path in (*(node.name for node in graph.nodes), *layers):
        parts = path.split(".")
        for begin in range(len(parts)):
            for end in range(begin + 1, len(parts) + 1):
                local = ".".join(parts[begin:end])
                found.update((local, local.replace(".", "_"), f"_{local.replace('.', '_')}"))
    return found


def _docstrings(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value


def _is_module(node: ast.expr) -> bool:
    """Whether it is a name, an attribute of it, also by `getattr`, or an element by a name."""
    match node:
        case ast.Name():
            return True
        case ast.Attribute(value=inner) | ast.Subscript(value=inner, slice=ast.Constant()):
            return _is_module(inner)
        case ast.Call(func=ast.Name(id="getattr"), args=[inner, ast.Constant()]):
            return _is_module(inner)
        case _:
            return False


def _check_import(
    node: ast.Import | ast.ImportFrom, imports: Collection[str], is_top: bool
) -> None:
    modules = (
        [alias.name for alias in node.names]
        if isinstance(node, ast.Import)
        else [node.module or "."]
    )
    if not is_top or any(module not in imports for module in modules):
        _fail(node, f"it imports {', '.join(modules)}")


def _fail(node: Any, reason: str) -> None:
    line = getattr(node, "lineno", 0)
    raise UnfaithfulSource(f"emitted source is not what was meant, at line {line}: {reason}")
