"""Every op of the language. A family of ops is a module here, imported when an op of it is asked for.

Making the classes of all ops takes longer than compiling a network. So `index.json` has the names that each
family declares; `python -m netspec.ops` writes it.
"""

from netspec.ops.base import Example, Init, Op, Parting, Rejected, Weight
from netspec.ops.index import all_ops, find, names, own_name, partings, unknown_op, words, words_of

__all__ = [
    "Example",
    "Init",
    "Op",
    "Parting",
    "Rejected",
    "Weight",
    "all_ops",
    "find",
    "names",
    "own_name",
    "partings",
    "unknown_op",
    "words",
    "words_of",
]
