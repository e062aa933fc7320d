"""What to say where the grammar stops. Knows the habits that people bring from other languages."""

from collections.abc import Collection, Mapping

from netspec.diagnostics import Diagnostic
from netspec.lexer import Token
from netspec.source import Source, Span

_OPERATORS = {
    "PLUS", "MINUS", "LESS", "GREATER", "ATMOST", "ATLEAST", "EQUAL", "UNEQUAL", "AND", "OR", "NOT",
}  # fmt: skip

_VALUES = {"INT", "FLOAT", "SIZES", "STRING", "TRUE", "FALSE", "NONE", "DYNAMIC", "AT", "TENSOR"}
_VALUES |= {"NEG", "LPAR", "LSQB"}
_STEPS = {"IF", "FOR", "REPEAT", "LABEL"}
_STATEMENTS = {"LET", "OUT", "SHARE"}
_DECLARATIONS = {"NET", "BLOCK", "USE"}

_GROUPS = (
    (_DECLARATIONS, "a net, a block or a step"),
    (_STATEMENTS, "a statement"),
    (_STEPS, "a step"),
    ({"INT", "STRING", "NONE"}, "a value"),
    (_OPERATORS | {"STAR", "SLASH", "FLOOR", "PERCENT", "POWER"}, "an operator"),
)

_NAMES = {
    "NAME": "a name",
    "TENSOR": "a tensor's name (`@x`)",
    "STRING": "a string",
    "_END": "the end of the line",
    "$END": "the end of the text",
    "_CALL": "`(`",
    "_INDEX": "`[`",
}


def unexpected(
    source: Source,
    token: Token,
    before: Token | None,
    expected: Collection[str],
    spellings: Mapping[str, str],
) -> Diagnostic:
    """The diagnostic for a token that the grammar does not take here; `before` is the one that it follows."""
    start, end = token.start, token.end
    span = Span(source, start, end)
    if token.type == "_CALL" and before is not None and "_ARROW" in expected:
        return Diagnostic(
            "bracketed-arguments",
            f"the arguments of `{before.text}` stand in brackets",
            span,
            label="not here",
            help=f"arguments are separated by blanks: `{before.text} 32 3 stride=2`",
        )
    if token.type == "_INDEX" and "_ARROW" in expected:
        return Diagnostic(
            "unexpected-token", "`[` is glued to the name before it", span, help="a list has a blank before it"
        )
    if token.type in _OPERATORS and "_ARROW" in expected:
        return Diagnostic(
            "bare-operator",
            f"`{token.text}` in an argument needs parentheses",
            span,
            help="write `conv (c - 1) 3`; `conv c -1` is two arguments",
        )
    if token.type == "_ASSIGN" and "_ARROW" in expected and before is not None:
        return Diagnostic(
            "unexpected-token",
            f"`{before.text} =` begins no statement",
            span,
            help=f"`let {before.text} = ...` names a number, `@{before.text} = ...` a tensor",
        )
    if token.type == "VBAR":
        return Diagnostic(
            "unexpected-token",
            "`|` stands outside of branches",
            span,
            help="branches are what `add { a | b }`, `concat { a | b }` and their like take",
        )
    if token.type in _DECLARATIONS:
        return Diagnostic(
            "unexpected-token",
            f"`{token.text}` stands inside of braces or of a line",
            span,
            help=f"a `{token.text}` begins a line at the top of the file",
        )
    wanted = _wanted(expected, spellings)
    if token.text.isidentifier() and token.type not in ("NAME", "LABEL") and "NAME" in expected:
        return Diagnostic(
            "reserved-word", f"`{token.text}` is a word of the language", span, label=f"expected {wanted}"
        )
    found = {"$END": "the end of the text", "_END": "the end of the line"}.get(token.type)
    if token.type == "_END" and token.text == ";":
        found = None
    if found is not None:
        span = Span(source, max(start - 1, 0), start)
    return Diagnostic(
        "unexpected-token",
        f"expected {wanted}, found {found or f'`{token.text}`'}",
        span,
        label=f"after this, {wanted}" if found else "not expected here",
    )


def _wanted(expected: Collection[str], spellings: Mapping[str, str]) -> str:
    """What may stand here, in a few words."""
    left = set(expected)
    words = []
    for group, name in _GROUPS:
        if left & group:
            words.append(name)
            covered = group
            if group is _STEPS or group is _STATEMENTS or group is _DECLARATIONS:
                covered = group | _STEPS | _STATEMENTS | {"NAME", "TENSOR", "AT", "LBRACE"}
            elif name == "a value":
                covered = group | _VALUES | {"NAME", "NOT", "MINUS", "FLOAT"}
            left -= covered
    singles = [_NAMES.get(kind) or f"`{spellings.get(kind, kind)}`" for kind in sorted(left)]
    words += [word for word in singles if word not in words]
    if len(words) > 4:
        words = words[:3] + ["something else"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
