"""The pages of what is wrong with a text before anything has a meaning."""

from netspec.explain.page import Page

PAGES = {
    "unknown-character": Page(
        "a character is no part of the language",
        "The language is written in ASCII, with few signs. Characters such as `&` or typographic quotes "
        "come from other languages or from a word processor.",
        bad="input 8 & dense 4\n",
        good="input 8 -> dense 4\n",
    ),
    "bad-number": Page(
        "a word begins with a digit and is no number",
        "Numbers are written `64`, `0.5` and `1e-3`, sizes of several axes `1x7` or `3x3`. Names begin with "
        "a letter.",
        bad="input 3 8 8\nconv 8 3x\n",
        good="input 3 8 8\nconv 8 3x3\n",
    ),
    "unclosed-string": Page(
        "a string has no closing quote on its line",
        "Strings stand between double quotes on one line. They are the paths of used files, and patterns.",
        bad='use "blocks.net\n',
    ),
    "unclosed-bracket": Page(
        "a bracket has no counterpart",
        "Every `(`, `[` and `{` is closed by its own kind, the last opened first. The caret stands at the "
        "one that is open, since the place where its counterpart is missed may be far below.",
        bad="net small {\n  input 8 -> dense (4\n}\n",
        good="net small {\n  input 8 -> dense 4\n}\n",
    ),
    "unmatched-bracket": Page(
        "a bracket closes nothing",
        "It is one too many, or its opening counterpart was removed.",
        bad="input 8 -> dense 4 }\n",
        good="input 8 -> dense 4\n",
    ),
    "unexpected-token": Page(
        "a word stands where the grammar takes no such word",
        "The message names what would be taken there. A statement ends at the end of its line unless the "
        "next begins with `->`, `|` or `}`; a name for a number needs `let`, one for a tensor an `@`.",
        bad="input 8\nhidden = 4\ndense hidden\n",
        good="input 8\nlet hidden = 4\ndense hidden\n",
    ),
    "reserved-word": Page(
        "a word of the language is used as a name",
        "`and block else false for if in let net none not or out repeat share true use` have a meaning of "
        "their own, and name no block, parameter or variable.",
        bad="input 8\nlet repeat = 4\ndense 4\n",
        good="input 8\nlet times = 4\ndense times\n",
    ),
    "bracketed-arguments": Page(
        "arguments stand in brackets, as in Python",
        "Arguments are separated by blanks and follow the op: `conv 32 3 stride=2`. A bracket that is glued "
        "to a name is a call of a function on numbers, such as `range(3)`.",
        bad="input 3 8 8\nconv(16, 3)\n",
        good="input 3 8 8\nconv 16 3\n",
    ),
    "bare-operator": Page(
        "a sum or a comparison is an argument without parentheses",
        "Blanks separate arguments, so that `conv c - 1 3` could mean several things. An argument takes `* "
        "/ // % **` as they are; anything looser stands in parentheses.",
        bad="input 3 8 8\nlet c = 9\nconv c - 1 3\n",
        good="input 3 8 8\nlet c = 9\nconv (c - 1) 3\n",
    ),
    "misplaced-argument": Page(
        "a positional argument stands after a named one",
        "Positional arguments are counted from the left, and come first.",
        bad="input 3 8 8\nconv stride=2 8 3\n",
        good="input 3 8 8\nconv 8 3 stride=2\n",
    ),
    "over-limit": Page(
        "a spec asks for more than is allowed",
        "Text, nesting, calls, ops, work, list lengths and digits are bounded before time or memory is "
        "spent on them, so that no text can hang the compiler. Most often a block calls itself without an "
        "end, or a size is a slip. Of one text a thousand warnings are shown; the last line counts the "
        "others. The bounds stand in `netspec/limits.py`; `--limit NAME=VALUE` and callers of the Python API may "
        "raise them.",
        bad="input 8\nblock again { again }\nagain\n",
        good="input 8\nblock again(n) { dense 8 -> if n > 1 { again (n - 1) } }\nagain 3\n",
    ),
}
