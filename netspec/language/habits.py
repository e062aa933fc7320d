"""Words that people bring from other languages, and what is said here instead. Knows nothing of a program."""

_DEFINES = "`block name(parameters) { ... }` defines one"
_LOOPS = "`repeat 3 { ... }` and `for x in list { ... }` are the loops"

STEPS = {
    "def": _DEFINES,
    "function": _DEFINES,
    "module": _DEFINES,
    "output": "the last step is the result, and `out name=@` names it",
    "return": "the last step is the result, and `out name=@` names it",
    "while": _LOOPS,
}
"""What is written in place of a step."""

SIGNS = {
    "!": "write `not`",
    "&": "write `and`",
    "'": 'a string is written `"same"`',
    "^": "a power is written `2**3`",
}
"""What is written in place of a character."""
