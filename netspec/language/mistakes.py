"""What to say where the grammar stops. Knows the habits that people bring from other languages."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from netspec.diagnostics import Diagnostic
from netspec.language.functions import FUNCTIONS
from netspec.language.lexer import Token
from netspec.source import Source, Span

_OPERATORS = {
    "PLUS", "MINUS", "LESS", "GREATER", "ATMOST", "ATLEAST", "EQUAL", "UNEQUAL", "AND", "OR", "NOT", "IN",
}  # fmt: skip

_LONGEST = 40
_LEFT, _RIGHT = re.compile(r"[\w.@*/%]+$"), re.compile(r"[\w.@*/%]+")
_DECLARATIONS = {"NET", "BLOCK", "USE"}

# What a set of terminals is called where the first of them is expected.
_STEP = ("REPEAT", "FOR", "IF", "LABEL", "NAME", "LBRACE", "TENSOR", "AT")
_STATEMENT = ("LET", "OUT", "SHARE", *_STEP)
_VALUE = ("INT", "FLOAT", "SIZES", "STRING", "TRUE", "FALSE", "NONE", "DYNAMIC", "AT", "TENSOR")
_GROUPS = (
    (("BLOCK", "NET", "USE", *_STATEMENT), "a net, a block or a step"),
    (_STATEMENT, "a statement"),
    (_STEP, "a step"),
    ((*_VALUE, "NEG", "MINUS", "NOT", "NAME", "LPAR", "LSQB"), "a value"),
    (
        ("STAR", "SLASH", "FLOOR", "PERCENT", "POWER", "DOT", "_INDEX", "NEG", *_OPERATORS),
        "an operator",
    ),
)

_NAMES = {
    "NAME": "a name",
    "TENSOR": "a tensor's name (`@x`)",
    "STRING": "a string",
    "_END": "the end of the line",
    "$END": "the end of the text",
    "_CALL": "`(`",
    "LPAR": "`(`",
    "FOR": "`for`",
    "_INDEX": "`[`",
}


def unexpected(
    source: Source,
    token: Token,
    before: Token | None,
    expected: Collection[str],
    spellings: Mapping[str, str],
) -> Diagnostic:
    """What is wrong with a token that the grammar does not take; `before` is the one before it."""
    span = Span(source, token.start, token.end)
    habit = _habit(source.text, token, before, expected)
    if habit is not None:
        return Diagnostic(habit.id, habit.message, span, habit.label, habit.help)
    wanted = _wanted(expected, spellings)
    if token.text.isidentifier() and token.type not in ("NAME", "LABEL") and "NAME" in expected:
        return Diagnostic(
            "reserved-word",
            f"`{token.text}` is a word of the language",
            span,
            label=f"expected {wanted}",
        )
    found = {"$END": "the end of the text", "_END": "the end of the line"}.get(token.type)
    if token.type == "_END" and token.text == ";":
        found = None
    if found is not None:
        span = Span(source, max(token.start - 1, 0), token.start)
    return Diagnostic(
        "unexpected-token",
        f"expected {wanted}, found {found or f'`{token.text}`'}",
        span,
        label=f"after this, {wanted}" if found else "not expected here",
        help=_cure(token, before, expected),
    )


class _Habit(NamedTuple):
    """What is said of a form that other languages have."""

    id: str
    message: str
    help: str
    label: str = ""


def _habit(
    text: str, token: Token, before: Token | None, expected: Collection[str]
) -> _Habit | None:
    """The form that a token is probably the beginning of, if it means nothing here."""
    kind, in_step = token.type, "_ARROW" in expected
    if kind == "_CALL" and before is not None and in_step:
        cure = f"arguments are separated by blanks: `{before.text} 32 3 stride=2`"
        message = f"the arguments of `{before.text}` stand in brackets"
        return _Habit("bracketed-arguments", message, cure, label="not here")
    if kind in _OPERATORS and in_step:
        message = f"`{token.text}` in an argument needs parentheses"
        return _Habit("bare-operator", message, _enclosed(text, token))
    if kind == "_INDEX" and in_step:
        message, cure = "`[` is glued to the name before it", "a list has a blank before it"
    elif kind == "_ASSIGN" and _is_arrow(text, token):
        message, cure = "`=>` means nothing here", "an arrow is written `->`"
    elif kind == "_ASSIGN" and in_step and before is not None:
        message = f"`{before.text} =` begins no statement"
        cure = f"`let {before.text} = ...` names a number, `@{before.text} = ...` a tensor"
    elif kind == "VBAR":
        message = "`|` stands outside of branches"
        cure = "branches are what `add { a | b }`, `concat { a | b }` and their like take"
    elif kind in _DECLARATIONS and set(expected) != {"NAME"}:
        message = f"`{token.text}` stands inside of braces or of a line"
        cure = f"a `{token.text}` begins a line at the top of the file"
    else:
        return None
    return _Habit("unexpected-token", message, cure)


def _cure(token: Token, before: Token | None, expected: Collection[str]) -> str | None:
    """What was probably meant by a token that may not stand where it does."""
    kind, previous = token.type, before or Token("", "", 0, 0)
    if kind == "COMMA" and "_END" in expected:
        return "arguments are separated by blanks: `conv 32 3 stride=2`"
    if kind == "FLOOR" and "_ARROW" not in expected:
        return "a comment begins with `#`"
    if kind == "TENSOR" and previous.type == "_ARROW":
        return f"`{token.text} = ...` names what a pipeline gives, and `{token.text} -> ...` begins one"
    if previous.type == "RBRACE" and kind in _STATEMENT:
        return "a statement begins on a line of its own or after `;`, the next step after `->`"
    if kind == "_ASSIGN" and "EQUAL" in expected:
        return "`==` compares"
    if previous.text in FUNCTIONS and kind in ("INT", "NAME", "LSQB"):
        return f"a function takes its arguments in brackets: `{previous.text}(...)`"
    if kind == "NAME" and {"LPAR", "LBRACE"} <= {*expected}:
        return "parameters stand in brackets: `block unit(c, k=3) { ... }`"
    begins_body = "LBRACE" in expected and "_ARROW" not in expected
    if begins_body and (
        kind in ("NAME", "_END") or (kind == "_ASSIGN" and previous.type in ("NAME", "RPAR"))
    ):
        return "the steps of a body stand in braces: `{ conv 32 3 -> relu }`"
    return None


def _enclosed(text: str, token: Token) -> str:
    """How the operator and what stands around it is an argument."""
    if token.type == "MINUS" and _is_arrow(text, token):
        return "an arrow is written `->`"
    first = _LEFT.search(text[max(token.start - _LONGEST, 0) : token.start].rstrip(" "))
    second = _RIGHT.match(text[token.end : token.end + _LONGEST].lstrip(" "))
    if first is None or second is None:
        return "write `conv (c - 1) 3`; `conv c -1` is two arguments"
    words = f"write `({first[0]} {token.text} {second[0]})`"
    return f"{words}; `c -1` is two arguments" if token.type == "MINUS" else words


def _is_arrow(text: str, token: Token) -> bool:
    """Whether a sign is the first half of what is meant as an arrow."""
    return text[token.end : token.end + _LONGEST].lstrip(" ").startswith(">")


def _wanted(expected: Collection[str], spellings: Mapping[str, str]) -> str:
    """What may stand here, in a few words."""
    left = set(expected)
    groups = []
    for terminals, name in _GROUPS:
        if terminals[0] in left:
            groups.append(name)
            left -= set(terminals)
    singles = {_NAMES.get(kind) or f"`{spellings.get(kind, kind)}`" for kind in left}
    words = (
        [*groups[:1], *sorted(singles), *groups[1:]]
        if groups != ["an operator"]
        else [*sorted(singles), *groups]
    )
    if len(words) > 5:
        words = [*words[:4], "something else"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
